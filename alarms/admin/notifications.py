"""Channels, rules, and what became of messages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from alarms.models import Attempt, Channel, Drill, Message, Rule
from alarms.notifications import channel_admin
from alarms.notifications.outbox import send_again
from core.web.admin import BigTableAdmin, FewRelatedFilter, ReadOnlyAdmin, Tone, badge, instant_text, list_link

TONES: dict[str, Tone] = {
    Message.State.WAITING: "neutral",
    Message.State.SENT: "good",
    Message.State.DEAD: "bad",
    Message.State.GROUPED: "neutral",
}


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):
    list_display = ["name", "customer", "kind", "state", "last_success", "messages"]
    list_select_related = ["customer"]
    list_filter = ["kind", "is_enabled", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code"]
    # Without the secrets, and to look at: the customer's settings page changes them.
    readonly_fields = [
        "customer", "kind", "name", "address", "messages_a_minute", "flap_minutes", "is_enabled", "disabled_reason",
        "failures_in_a_row", "last_error", "last_success_at",
    ]  # fmt: skip
    exclude = ["secret", "previous_secret", "previous_secret_until"]
    actions = ["test", "enable", "disable"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: the customer's settings page makes channels, and shows a webhook's secret."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        """Never: messages refer to it. It is disabled instead."""
        return False

    @admin.display(ordering="failures_in_a_row")
    def state(self, channel: Channel) -> SafeString:
        if not channel.is_enabled:
            return badge("disabled", "neutral", channel.disabled_reason)
        return badge("failing", "bad", channel.last_error) if channel.failures_in_a_row else badge("works", "good")

    @admin.display(description="last success (UTC)", ordering="last_success_at")
    def last_success(self, channel: Channel) -> str:
        return instant_text(channel.last_success_at)

    @admin.display(description="")
    def messages(self, channel: Channel) -> SafeString:
        return list_link(Message, "messages", channel__id__exact=channel.pk)

    @admin.action(description="Send a test", permissions=["change"])
    def test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        enabled = list(channels.filter(is_enabled=True).select_related("customer"))
        for channel in enabled:
            channel_admin.send_test(channel, by=request.user.get_username())
        self.message_user(request, f"Tests on their way: {len(enabled)}.")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        for channel in channels:
            channel_admin.enable(channel)
        self.message_user(request, f"Channels enabled: {len(channels)}.")

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        for channel in channels:
            channel_admin.disable(channel, reason=f"Disabled by {request.user.get_username()}.")
        self.message_user(request, f"Channels disabled: {len(channels)}.")


@admin.register(Rule)
class RuleAdmin(ReadOnlyAdmin):
    list_display = ["name", "customer", "is_enabled", "repeat_minutes", "escalate_minutes"]
    list_select_related = ["customer"]
    list_filter = ["is_enabled", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code"]


class AttemptInline(admin.TabularInline):
    model = Attempt
    extra = 0
    can_delete = False
    fields = ("at", "duration_seconds", "outcome", "status_code", "answer")
    readonly_fields = ("at", "duration_seconds", "outcome", "status_code", "answer")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(BigTableAdmin):
    list_display = ["subject", "channel", "reason", "shown_state", "attempt_count", "made", "sent"]
    list_select_related = ["channel"]
    list_filter = ["state", "reason"]
    search_fields = ["=public_id", "channel__customer__customer_code"]
    inlines = [AttemptInline]
    actions = ["send_again"]

    @admin.display(description="state", ordering="state")
    def shown_state(self, message: Message) -> SafeString:
        return badge(message.get_state_display(), TONES[message.state])

    @admin.display(description="made (UTC)", ordering="created_at")
    def made(self, message: Message) -> str:
        return instant_text(message.created_at)

    @admin.display(description="sent (UTC)", ordering="sent_at")
    def sent(self, message: Message) -> str:
        return instant_text(message.sent_at)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """May this person change messages, were they not read-only?"""
        return request.user.has_perm("alarms.change_message")

    @admin.action(description="Send again", permissions=["resend"])
    def send_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        dead = Message.objects.filter(pk__in=list(messages.values_list("pk", flat=True)))
        self.message_user(request, f"Messages that are tried again: {send_again(dead)}.")


@admin.register(Drill)
class DrillAdmin(ReadOnlyAdmin):
    list_display = ["customer", "started_at", "started_by", "ended_at"]
    list_select_related = ["customer"]
    list_filter = [("customer", FewRelatedFilter)]
