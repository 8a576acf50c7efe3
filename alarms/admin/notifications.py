"""Admin of channels, rules, messages with their attempts, and drills."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from typing_extensions import override

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
class ChannelAdmin(admin.ModelAdmin[Channel]):
    """Read-only channels, without their secrets, with actions to test, enable and disable them."""

    list_display = ["name", "customer", "kind", "state", "last_success", "messages"]
    list_select_related = ["customer"]
    list_filter = ["kind", "is_enabled", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code"]
    # The customer's settings page edits them.
    readonly_fields = [
        "customer", "kind", "name", "address", "messages_a_minute", "flap_minutes", "is_enabled", "disabled_reason",
        "failures_in_a_row", "last_error", "last_success_at",
    ]  # fmt: skip
    exclude = ["secret", "previous_secret", "previous_secret_until"]
    actions = ["send_test", "enable", "disable"]

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        # The customer's settings page adds channels, because it shows a webhook's secret once.
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Channel | None = None) -> bool:
        # Messages refer to the channel; it is disabled instead.
        return False

    @admin.display(ordering="failures_in_a_row")
    def state(self, channel: Channel) -> SafeString:
        """Return whether the channel is disabled, failing, working or working for some of its addresses only."""
        if not channel.is_enabled:
            return badge("disabled", "neutral", channel.disabled_reason)
        if channel.failures_in_a_row:
            return badge("failing", "bad", channel.last_error)
        if channel.last_error:
            return badge("partly working", "warning", channel.last_error)
        return badge("working", "good")

    @admin.display(description="last success (UTC)", ordering="last_success_at")
    def last_success(self, channel: Channel) -> str:
        """Return when the channel last delivered a message."""
        return instant_text(channel.last_success_at)

    @admin.display(description="")
    def messages(self, channel: Channel) -> SafeString:
        """Return a link to the channel's messages."""
        return list_link(Message, "messages", channel__id__exact=channel.pk)

    @admin.action(description="Send test message", permissions=["change"])
    def send_test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        """Queue a test message for each enabled channel."""
        enabled = list(channels.filter(is_enabled=True).select_related("customer"))
        for channel in enabled:
            channel_admin.send_test(channel, by=request.user.get_username())
        self.message_user(request, f"Test messages queued: {len(enabled)}.")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        """Enable the channels and retry their waiting messages."""
        for channel in channels:
            channel_admin.enable(channel)
        self.message_user(request, f"Channels enabled: {len(channels)}.")

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        """Disable the channels."""
        for channel in channels:
            channel_admin.disable(channel, reason=f"Disabled by {request.user.get_username()}.")
        self.message_user(request, f"Channels disabled: {len(channels)}.")


@admin.register(Rule)
class RuleAdmin(ReadOnlyAdmin[Rule]):
    """Read-only list of rules."""

    list_display = ["name", "customer", "is_enabled", "repeat_minutes", "escalate_minutes"]
    list_select_related = ["customer"]
    list_filter = ["is_enabled", ("customer", FewRelatedFilter)]
    search_fields = ["name", "customer__customer_code"]


class AttemptInline(admin.TabularInline[Attempt, Message]):
    """The delivery attempts of a message."""

    model = Attempt
    extra = 0
    can_delete = False
    fields = ("at", "duration_seconds", "outcome", "status_code", "answer")
    readonly_fields = ("at", "duration_seconds", "outcome", "status_code", "answer")

    @override
    def has_add_permission(self, request: HttpRequest, obj: Message | None = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(BigTableAdmin[Message]):
    """Read-only list of messages, with an action to send undelivered ones again."""

    list_display = ["subject", "channel", "reason", "state_badge", "attempt_count", "created", "sent"]
    list_select_related = ["channel"]
    list_filter = ["state", "reason"]
    search_fields = ["=public_id", "channel__customer__customer_code"]
    inlines = [AttemptInline]
    actions = ["send_again"]

    @admin.display(description="state", ordering="state")
    def state_badge(self, message: Message) -> SafeString:
        """Return the state as a badge."""
        return badge(message.get_state_display(), TONES[message.state])

    @admin.display(description="created (UTC)", ordering="created_at")
    def created(self, message: Message) -> str:
        """Return when the message was created."""
        return instant_text(message.created_at)

    @admin.display(description="sent (UTC)", ordering="sent_at")
    def sent(self, message: Message) -> str:
        """Return when the message was delivered."""
        return instant_text(message.sent_at)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Return whether the user has the permission to change messages, which are otherwise read-only."""
        return request.user.has_perm("alarms.change_message")

    @admin.action(description="Send again", permissions=["resend"])
    def send_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        """Requeue the undelivered ones among these messages."""
        selected = Message.objects.filter(pk__in=list(messages.values_list("pk", flat=True)))
        self.message_user(request, f"Messages queued again: {send_again(selected)}.")


@admin.register(Drill)
class DrillAdmin(ReadOnlyAdmin[Drill]):
    """Read-only list of drills."""

    list_display = ["customer", "started_at", "started_by", "ended_at"]
    list_select_related = ["customer"]
    list_filter = [("customer", FewRelatedFilter)]
