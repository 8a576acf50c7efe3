"""What keeps alarms from being raised or from reaching anybody, for those who can do something about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.urls import reverse

from alarms.models import Alarm, Channel, EvaluationFailure, Rule
from alarms.models.channels import GONE_REASON
from alarms.thresholds import Severity
from core.scope import Scope
from customers.access import actions
from customers.access.principal import Principal
from customers.models import Customer, StorageUnit

MAX_NAMED = 3
# Failures in a row, within about a minute, after which a channel is named.
MIN_FAILURES = 3


@dataclass(frozen=True, slots=True)
class SetupNotice:
    """What is wrong and what follows from it, with a link to where it can be corrected, "" for none."""

    text: str
    link_text: str = ""
    url: str = ""


def setup_notices(principal: Principal) -> list[SetupNotice]:
    """Return what is wrong, for a person who can do something about it; nothing for anybody else.

    Four queries, and one more for the operator's staff.
    """
    is_operator = not principal.scope_of(actions.VIEW_EVALUATION_FAILURES).is_empty
    notices = [*_notices_of_failures(), *_notices_of_settings()] if is_operator else []
    silent = _without_rule(principal.scope_of(actions.CHANGE_RULES))
    if silent:
        url = reverse("settings") if len(silent) > 1 else reverse("settings-notifications", args=[silent[0].public_id])
        names = _listed([customer.name for customer in silent], "customer")
        text = f"Nobody is notified of the alarms of {names}: there is no notification rule."
        notices.append(SetupNotice(text, "Add a rule", url))
    notices += _notices_of_gaps_in_rules(principal.scope_of(actions.CHANGE_RULES))
    notices += _notices_of_channels(principal.scope_of(actions.CHANGE_CHANNELS))
    return notices + _notices_of_provisional_limits(principal.scope_of(actions.CHANGE_DEFAULT_LIMITS))


def _notices_of_failures() -> list[SetupNotice]:
    count = EvaluationFailure.objects.aggregate(count=Count("storage_unit", distinct=True))["count"]
    if not count:
        return []
    units = "1 storage unit could" if count == 1 else f"{count:,} storage units could"
    text = f"{units} not be evaluated: readings are stored, but no alarms are raised for them."
    return [SetupNotice(text, "Show the errors", reverse("admin:alarms_evaluationfailure_changelist"))]


def _notices_of_settings() -> list[SetupNotice]:
    notices = []
    if not settings.SITE_URL:
        notices.append(SetupNotice("SITE_URL is not set: alarm messages contain no link to the alarm."))
    if not settings.EMAIL_URL:
        notices.append(SetupNotice("EMAIL_URL is not set: no e-mail can be sent."))
    return notices


def _without_rule(scope: Scope) -> list[Customer]:
    """Return the active customers within `scope` that have no enabled rule with an enabled channel."""
    if scope.is_empty:
        return []
    rules = _working_rules().filter(customer=OuterRef("pk"))
    customers = Customer.objects.visible_to(scope).filter(~Exists(rules), is_active=True)
    return list(customers.order_by("customer_code"))


def _working_rules() -> QuerySet[Rule]:
    """Return the enabled rules with an enabled channel."""
    has_channel = Q(channels__is_enabled=True) | Q(escalation_channels__is_enabled=True)
    return Rule.objects.filter(is_enabled=True, pk__in=Rule.objects.filter(has_channel).order_by().values("pk"))


def _selecting(kind: str, severity: str) -> Q:
    """Return the condition of rules that select alarms of this kind and severity."""
    has_kind = Q(kinds=[]) | Q(kinds__contains=[kind])
    return has_kind & (Q(severities=[]) | Q(severities__contains=[severity]))


def _notices_of_gaps_in_rules(scope: Scope) -> list[SetupNotice]:
    """Return notices of the first customers with rules that cover not all units, or no source that is down. One query.

    All units must be covered for critical temperature alarms, whatever the hours.
    """
    if scope.is_empty:
        return []
    rules = _working_rules().order_by()
    of_customer = rules.filter(customer=OuterRef("pk"))
    of_temperatures = _selecting(Alarm.Kind.TEMPERATURE, Severity.CRITICAL)
    of_sources = _selecting(Alarm.Kind.SOURCE_DOWN, Severity.CRITICAL)
    of_sources |= _selecting(Alarm.Kind.NO_DATA, Severity.WARNING)
    customers = Customer.objects.visible_to(scope).filter(Exists(of_customer), is_active=True)
    counted = customers.annotate(
        unit_count=Case(
            When(Exists(of_customer.filter(of_temperatures, facilities=None, units=None)), then=0),
            default=Coalesce(_count_of_units_outside(rules.filter(of_temperatures)), 0),
        ),
        lacks_sources=Q(Exists(Customer.objects.filter(pk=OuterRef("pk"), sources__isnull=False)))
        & ~Exists(of_customer.filter(of_sources)),
    ).filter(Q(unit_count__gt=0) | Q(lacks_sources=True))
    rows = counted.order_by("customer_code").values_list("name", "public_id", "unit_count", "lacks_sources")
    return [
        SetupNotice(
            f"Nobody is notified of {_gaps_text(count, lacks_sources)}: no notification rule of {name} covers them.",
            "Show rules",
            reverse("settings-notifications", args=[public_id]),
        )
        for name, public_id, count, lacks_sources in rows[:MAX_NAMED]
    ]


def _gaps_text(unit_count: int, lacks_sources: bool) -> str:
    gaps = [f"critical temperature alarms of {_units_text(unit_count)}"] if unit_count else []
    return " and of ".join(gaps + ["sources that are down"] * lacks_sources)


def _count_of_units_outside(rules: QuerySet[Rule]) -> Subquery:
    """Return the expression over customers for the number of units that no rule names, alone or by their facility."""
    units = StorageUnit.objects.filter(facility__customer=OuterRef("pk"), is_synthetic=False)
    for name, named in (("pk", "units"), ("facility", "facilities")):
        units = units.exclude(**{f"{name}__in": rules.filter(**{f"{named}__isnull": False}).values(named)})
    return Subquery(units.order_by().values("facility__customer").annotate(count=Count("pk")).values("count"))


def _notices_of_channels(scope: Scope) -> list[SetupNotice]:
    """Return a notice of the channels that rules name and no messages reach, unless a person disabled them."""
    if scope.is_empty:
        return []
    is_failing = Q(is_enabled=True, failures_in_a_row__gte=MIN_FAILURES)
    is_gone = Q(is_enabled=False, disabled_reason=GONE_REASON)
    rules = Rule.objects.filter(is_enabled=True)
    is_named = Exists(rules.filter(channels=OuterRef("pk"))) | Exists(rules.filter(escalation_channels=OuterRef("pk")))
    named = Channel.objects.visible_to(scope).filter(is_failing | is_gone, is_named, customer__is_active=True)
    channels = list(named.select_related("customer").order_by("customer__customer_code", "name"))
    if not channels:
        return []
    customers = list({channel.customer.public_id for channel in channels})
    url = reverse("settings-notifications", args=customers) if len(customers) == 1 else reverse("settings")
    names = _listed([f"{channel.name} of {channel.customer.name}" for channel in channels], "channel")
    return [SetupNotice(f"Messages do not reach {names}.", "Show channels", url)]


def _notices_of_provisional_limits(scope: Scope) -> list[SetupNotice]:
    """Return a notice for each of the first customers with units whose limits nobody has chosen."""
    if scope.is_empty:
        return []
    is_provisional = Q(facilities__units__has_provisional_limits=True)
    customers = Customer.objects.visible_to(scope).filter(is_active=True)
    counted = customers.annotate(unit_count=Count("facilities__units", filter=is_provisional)).filter(unit_count__gt=0)
    rows = counted.order_by("customer_code").values_list("name", "public_id", "unit_count")[:MAX_NAMED]
    return [
        SetupNotice(
            f"{_units_text(count)} of {name} alert{'s' if count == 1 else ''} nobody: no limits have been chosen.",
            "Choose limits",
            reverse("settings-customer-limits", args=[public_id]),
        )
        for name, public_id, count in rows
    ]


def _units_text(count: int) -> str:
    return f"{count:,} storage unit{'' if count == 1 else 's'}"


def _listed(names: Sequence[str], noun: str) -> str:
    others = len(names) - MAX_NAMED
    listed = ", ".join(names[:MAX_NAMED])
    return listed if others <= 0 else f"{listed} and {others} more {noun}{'s' if others > 1 else ''}"
