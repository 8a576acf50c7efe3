"""Settings pages of notifications. Members can view; the customer's managers and staff can edit."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alarms import drills
from alarms.models import Channel, Drill, Message, Rule
from alarms.notifications import channel_admin
from alarms.notifications.outbox import send_again
from alarms.web.notification_forms import ChannelForm, DrillScheduleForm, RuleForm
from core.crypto.encryption import SecretUnreadable
from core.web.pages import list_page
from core.web.versioned_forms import atomic_post, locked_for, was_opened_with
from customers.access import actions
from customers.access.page_principal import needs, refuse_unless, settings_context, settings_customer
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.models import Customer

GET_OR_POST = ["GET", "HEAD", "POST"]
MESSAGES_PER_PAGE = 25
MAX_DRILLS = 5


@require_safe
@never_cache
@login_required
@needs(GET=actions.SEE_CHANNELS)
def notifications_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the customer's channels, rules, drills and newest messages."""
    principal, customer = settings_customer(request, public_id)
    listed = _messages_of(principal, customer).order_by("-created_at", "-pk")
    schedule = getattr(customer, "drill_schedule", None)
    context = _context(principal, customer) | {
        "channels": _channels_of(principal, customer),
        "rules": _rules_of(principal, customer).prefetch_related(
            "channels", "escalation_channels", "facilities", "units"
        ),
        "list": list_page(request, listed.select_related("channel", "alarm"), MESSAGES_PER_PAGE),
        "is_pending": listed.filter(state=Message.State.WAITING, reason=Message.Reason.TEST).exists()
        or Drill.objects.filter(customer=customer, ended_at=None).exists(),
        "drills": [(drill, drills.results(drill)) for drill in _drills_of(principal, customer)],
        "schedule": schedule,
        "schedule_form": DrillScheduleForm(initial={"every_days": schedule.every_days if schedule else None}),
    }
    return render(request, "settings/notifications.html", context)


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.CHANGE_CHANNELS, POST=actions.CHANGE_CHANNELS)
@atomic_post
def channel_page(request: HttpRequest, public_id: UUID, channel_id: UUID | None = None) -> HttpResponse:
    """Edit a channel, or add one if there is no id. The secret of a new webhook is shown once."""
    principal, customer = settings_customer(request, public_id)
    channel = get_object_or_404(_channels_of(principal, customer), public_id=channel_id) if channel_id else Channel()
    form = ChannelForm(request.POST or None, instance=locked_for(request, channel), customer=customer)
    if request.method == "POST" and form.is_valid():
        claim_form(request)
        is_new = channel.pk is None
        saved = form.save()
        if is_new and saved.kind == Channel.Kind.WEBHOOK:
            return _show_secret(request, principal, customer, saved, saved.secret.reveal())
        messages.success(request, f"{saved.name} saved.")
        return redirect("settings-notifications", public_id)
    context = _context(principal, customer) | {"form": form, "channel": channel}
    return render(request, "settings/channel.html", context)


@require_POST
@never_cache
@login_required
@needs(POST=actions.CHANGE_CHANNELS)
def change_channel(request: HttpRequest, public_id: UUID, channel_id: UUID) -> HttpResponse:
    """Test, enable or disable a channel or rotate its secret, depending on `action`."""
    principal, customer = settings_customer(request, public_id)
    channel = get_object_or_404(_channels_of(principal, customer), public_id=channel_id)
    match request.POST.get("action"):
        case "test":
            refuse_unless(channel.is_enabled)
            with transaction.atomic():
                claim_form(request)
                channel_admin.send_test(channel, by=principal.name)
            messages.success(request, f"Test message to {channel.name} queued. See the result under Messages.")
        case "enable":
            channel_admin.enable(channel)
            messages.success(request, f"{channel.name} enabled.")
        case "disable":
            channel_admin.disable(channel, reason=f"Disabled by {principal.name}.")
            messages.success(request, f"{channel.name} disabled.")
        case "secret" if channel.kind == Channel.Kind.WEBHOOK:
            return _rotate_secret(request, principal, customer, channel)
        case _:
            return HttpResponseBadRequest("action must be test, enable, disable, or secret for a webhook.")
    return redirect("settings-notifications", public_id)


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.CHANGE_RULES, POST=actions.CHANGE_RULES)
@atomic_post
def rule_page(request: HttpRequest, public_id: UUID, rule_id: UUID | None = None) -> HttpResponse:
    """Edit a rule, or add one if there is no id."""
    principal, customer = settings_customer(request, public_id)
    rule = get_object_or_404(_rules_of(principal, customer), public_id=rule_id) if rule_id else Rule()
    form = RuleForm(request.POST or None, instance=locked_for(request, rule), customer=customer)
    if request.method == "POST" and form.is_valid():
        claim_form(request)
        saved = form.save()
        messages.success(request, f"{saved.name} saved.")
        return redirect("settings-notifications", public_id)
    return render(request, "settings/rule.html", _context(principal, customer) | {"form": form, "rule": rule})


@require_POST
@login_required
@needs(POST=actions.CHANGE_RULES)
def delete_rule(request: HttpRequest, public_id: UUID, rule_id: UUID) -> HttpResponse:
    """Delete a rule; its messages are kept."""
    principal, customer = settings_customer(request, public_id)
    rule = get_object_or_404(_rules_of(principal, customer), public_id=rule_id)
    rule.delete()
    messages.success(request, f"{rule.name} deleted.")
    return redirect("settings-notifications", public_id)


@require_POST
@login_required
@needs(POST=actions.RESEND_MESSAGES)
def resend_message(request: HttpRequest, public_id: UUID, message_id: UUID) -> HttpResponse:
    """Send an undelivered message again."""
    principal, customer = settings_customer(request, public_id)
    message = get_object_or_404(_messages_of(principal, customer), public_id=message_id)
    if send_again(Message.objects.filter(pk=message.pk)):
        messages.success(request, "Message queued for delivery.")
    else:
        messages.error(request, "Only undelivered messages can be sent again.")
    return redirect("settings-notifications", public_id)


@require_POST
@login_required
@needs(POST=actions.START_DRILLS)
def start_drill(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Start an alarm drill."""
    principal, customer = settings_customer(request, public_id)
    try:
        drills.start(customer, by=principal.name)
    except drills.DrillInProgress as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Drill started. Results appear below.")
    return redirect("settings-notifications", public_id)


@require_POST
@login_required
@needs(POST=actions.START_DRILLS)
@atomic_post
def schedule_drills(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Set the interval of drills."""
    _principal, customer = settings_customer(request, public_id)
    form = DrillScheduleForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("every_days must be from 1 to 366, or empty.")
    present = drills.interval_days(locked_for(request, customer))
    if was_opened_with(request, present or ""):
        drills.set_schedule(customer, form.cleaned_data["every_days"], timezone.now())
        messages.success(request, "Drill schedule saved.")
    else:
        stored = f"every {present} days" if present else "manual drills only"
        messages.error(request, f"Changed meanwhile by somebody else, now stored: {stored}. Save again to replace it.")
    return redirect("settings-notifications", public_id)


def _context(principal: Principal, customer: Customer) -> dict[str, object]:
    return settings_context(principal, customer, "notifications", actions.CHANGE_CHANNELS)


def _channels_of(principal: Principal, customer: Customer) -> QuerySet[Channel]:
    return Channel.objects.visible_to(principal.scope).filter(customer=customer)


def _rules_of(principal: Principal, customer: Customer) -> QuerySet[Rule]:
    return Rule.objects.visible_to(principal.scope).filter(customer=customer)


def _messages_of(principal: Principal, customer: Customer) -> QuerySet[Message]:
    return Message.objects.visible_to(principal.scope).filter(channel__customer=customer)


def _drills_of(principal: Principal, customer: Customer) -> QuerySet[Drill]:
    newest = Drill.objects.visible_to(principal.scope).filter(customer=customer).select_related("alarm")
    return newest.order_by("-started_at")[:MAX_DRILLS]


def _rotate_secret(request: HttpRequest, principal: Principal, customer: Customer, channel: Channel) -> HttpResponse:
    try:
        secret = channel_admin.rotate_secret(channel)
    except SecretUnreadable as unreadable:
        messages.error(request, str(unreadable))
        return redirect("settings-notifications", customer.public_id)
    return _show_secret(request, principal, customer, channel, secret)


def _show_secret(
    request: HttpRequest, principal: Principal, customer: Customer, channel: Channel, secret: str
) -> HttpResponse:
    context = _context(principal, customer) | {"channel": channel, "secret_text": secret}
    return render(request, "settings/channel_secret.html", context)
