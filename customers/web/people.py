"""The settings page of a customer's people: its members, and the invitations that are open."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from core.web.pages import list_page
from core.web.versioned_forms import OPENED
from customers import members
from customers.access import actions
from customers.access.login_throttle import count_mail
from customers.access.page_principal import needs, settings_context, settings_customer
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.accounts import invitations, mail
from customers.models import Customer, Invitation, Membership
from customers.web.settings_forms import InviteForm

ROWS_A_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
@needs(GET=actions.SEE_PEOPLE, POST=actions.CHANGE_PEOPLE)
def people_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """List the customer's people and open invitations. POST invites an address, whether it has an account or not."""
    principal, customer = settings_customer(request, public_id)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email, role = form.cleaned_data["email"], form.cleaned_data["role"]
        with transaction.atomic():
            claim_form(request)
            invitation, secret = invitations.invite(customer, email, role, by=principal.user, now=timezone.now())
        _send(request, invitation, secret)
        return redirect("settings-people", public_id)
    return render(request, "settings/people.html", _context(request, principal, customer, form))


@require_POST
@login_required
@needs(POST=actions.CHANGE_PEOPLE)
def change_member(request: HttpRequest, public_id: UUID, membership_id: int) -> HttpResponse:
    """Change a member's `role`, or `remove` them, by `action`."""
    principal, customer = settings_customer(request, public_id)
    member = get_object_or_404(members.members_of(customer), pk=membership_id)
    action, role = request.POST.get("action"), request.POST.get("role", "")
    try:
        if action == "remove":
            members.remove(member, by=principal.name)
            messages.success(request, f"{member.user.get_username()} is no longer a member.")
        elif action == "role" and role in Membership.Role.values:
            members.change_role(member, role, by=principal.name, shown=request.POST.get(OPENED))
            messages.success(request, f"{member.user.get_username()} is now a {role}.")
        else:
            return HttpResponseBadRequest("action must be role (with a role) or remove.")
    except (members.LastManager, members.ChangedMeanwhile) as refused:
        messages.error(request, str(refused))
    return redirect("settings-people", public_id)


@require_POST
@login_required
@needs(POST=actions.CHANGE_PEOPLE)
def change_invitation(request: HttpRequest, public_id: UUID, invitation_id: UUID) -> HttpResponse:
    """Send an invitation again with a new link, or `withdraw` it, by `action`."""
    principal, customer = settings_customer(request, public_id)
    invitation = get_object_or_404(Invitation, customer=customer, public_id=invitation_id)
    match request.POST.get("action"):
        case "send":
            try:
                _send(request, invitation, invitations.renew(invitation, by=principal.user, now=timezone.now()))
            except invitations.NotAcceptable as ended:
                messages.error(request, str(ended))
        case "withdraw":
            invitations.withdraw(invitation, by=principal.user, now=timezone.now())
            messages.success(request, f"Invitation of {invitation.email} withdrawn.")
        case _:
            return HttpResponseBadRequest("action must be send or withdraw.")
    return redirect("settings-people", public_id)


@require_POST
@login_required
@needs(POST=actions.CHANGE_PEOPLE)
def change_second_factor(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Require a second factor of the customer's people, or no longer, by `required`."""
    _, customer = settings_customer(request, public_id)
    customer.requires_second_factor = request.POST.get("required") == "yes"
    customer.save(update_fields=["requires_second_factor", "updated_at"])
    is_required = customer.requires_second_factor
    messages.success(request, f"A second factor is {'now' if is_required else 'no longer'} required.")
    return redirect("settings-people", public_id)


def _send(request: HttpRequest, invitation: Invitation, secret: str) -> None:
    """Mail the link to the invited address and say what became of it; the link itself is never shown here."""
    link = mail.absolute_url(request, reverse("invitation-link", args=[secret]))
    wait = count_mail(invitation.email, request.user.get_username(), timezone.now())
    if wait is not None:
        minutes = int(wait.total_seconds() // 60) + 1
        messages.error(request, f"Too many mails were sent. Send the invitation again in {minutes} minutes.")
        return
    try:
        mail.send(invitation.email, "invitation", {"invitation": invitation, "link": link})
    except mail.MailNotSent as not_sent:
        messages.error(
            request,
            f"{invitation.email} is invited, but the mail was not sent: {not_sent} Send it again later, or ask the"
            " operator to hand over a link.",
        )
    else:
        Invitation.objects.filter(pk=invitation.pk).update(sent_at=timezone.now())
        messages.success(request, f"Invitation sent to {invitation.email}.")


def _context(request: HttpRequest, principal: Principal, customer: Customer, form: InviteForm) -> dict[str, object]:
    shared = settings_context(principal, customer, "people", actions.CHANGE_PEOPLE)
    return shared | {
        "form": form,
        "list": list_page(request, members.members_of(customer), ROWS_A_PAGE),
        "invitations": list(invitations.open_invitations(customer)) if shared["may_manage"] else [],
        "now": timezone.now(),
        "is_second_factor_required_of_all": settings.MEMBER_SECOND_FACTOR,
        "roles": Membership.Role.values,
    }
