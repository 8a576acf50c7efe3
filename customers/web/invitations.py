"""The page on which an invited person accepts or declines."""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from customers.accounts import invitations
from customers.models import Invitation
from customers.web.forms import NewAccountForm

# The secret moves from the address into the session, so that neither logs nor other sites learn it.
_SECRET_KEY = "invitation_secret"  # noqa: S105  where the session keeps it


@require_safe
@never_cache
def open_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Open the page of the invitation with this secret."""
    if invitations.find(secret, timezone.now()) is None:
        return _ended(request)
    request.session[_SECRET_KEY] = secret
    return redirect("invitation")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def invitation_page(request: HttpRequest) -> HttpResponse:
    """Show the invitation. POST accepts or declines it, or creates the account of a new person, by `action`."""
    invitation = invitations.find(request.session.get(_SECRET_KEY, ""), timezone.now())
    if invitation is None:
        return _ended(request)
    form, error = NewAccountForm(invitation), ""
    if request.method == "POST":
        try:
            match request.POST.get("action"):
                case "accept" if isinstance(request.user, User):
                    membership = invitations.accept(invitation, request.user, timezone.now())
                    return _done(request, f"You are now a {membership.role} of {invitation.customer.name}.")
                case "decline":
                    invitations.decline(invitation, timezone.now())
                    return _done(request, f"Invitation of {invitation.customer.name} declined.")
                case "create" if not request.user.is_authenticated:
                    form = NewAccountForm(invitation, request.POST)
                    if form.is_valid():
                        return _create(request, invitation, form)
                case _:
                    return HttpResponseBadRequest("action must be accept, decline or create.")
        except invitations.NotAcceptable as refused:
            error = str(refused)
    return render(request, "account/invitation.html", _context(request, invitation, form) | {"error": error})


def _context(request: HttpRequest, invitation: Invitation, form: NewAccountForm) -> dict[str, object]:
    person = request.user if isinstance(request.user, User) else None
    return {
        "invitation": invitation,
        "person": person,
        "refusal": invitations.refusal(invitation, person) if person else "",
        "has_account": person is None and invitations.has_account(invitation),
        "form": form,
    }


def _create(request: HttpRequest, invitation: Invitation, form: NewAccountForm) -> HttpResponse:
    user = invitations.create_account(
        invitation,
        password=form.cleaned_data["new_password1"],
        first_name=form.cleaned_data["first_name"],
        last_name=form.cleaned_data["last_name"],
        now=timezone.now(),
    )
    request.session.pop(_SECRET_KEY, None)
    messages.success(request, f"You are now a {invitation.role} of {invitation.customer.name}.")
    return perform_login(request, Login(user=user, redirect_url=reverse("overview"), signup=True))


def _done(request: HttpRequest, text: str) -> HttpResponse:
    request.session.pop(_SECRET_KEY, None)
    messages.success(request, text)
    return redirect("overview")


def _ended(request: HttpRequest) -> HttpResponse:
    """Say that the link is of no use, the same for every reason."""
    request.session.pop(_SECRET_KEY, None)
    return render(request, "account/invitation_ended.html", status=410)
