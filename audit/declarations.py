"""What the audit trail covers: the one list of models, of which `audit.triggers` generates the triggers.

Every column of a listed model is recorded, also one that is added later, except `hot` ones. Models and lookups are
named by strings, as this app is below those that it watches. A test compares the list with the models that exist: each
is either in AUDITED or, with the reason, in NOT_AUDITED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INSERT, UPDATE, DELETE = "INSERT", "UPDATE", "DELETE"
EVERYTHING = (INSERT, UPDATE, DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedModel:
    """A model whose changes are recorded. Columns are named as in the database.

    label: lookups to the name that people read, of which the first that is not empty is recorded.
    person: the lookup to the account that the row is about.
    customer, unit: lookups to their ids; None takes those of the model's SCOPE, if it has one.
    hot: columns that polling and storing change; they are not recorded.
    secret, urls: recorded as changed only, and up to the host.
    operations: of rows that are a record themselves, only those that would falsify it.
    only: if given, updates of other columns call no function; for tables that loading writes in bulk.
    unless: a condition of the row OLD in which its deletion is recorded elsewhere, once for all rows of a statement.
    needs_reason: operations, and columns whose change requires a reason where the customer requires one.
    """

    model: str
    label: tuple[str, ...]
    customer: str | None = None
    unit: str | None = None
    person: str | None = None
    hot: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    operations: tuple[str, ...] = EVERYTHING
    only: tuple[str, ...] = ()
    unless: str = ""
    needs_reason: tuple[str, ...] = (DELETE,)


_UNIT = ("storage_unit__name", "storage_unit__unit_code")
_DECISION = ("state", "decided_at", "decided_by")
_LIMITS = (
    "low_critical_c",
    "low_warning_c",
    "high_warning_c",
    "high_critical_c",
    "is_inclusive",
    "is_low_critical_inclusive",
    "high_delay_seconds",
    "low_delay_seconds",
    "high_critical_delay_seconds",
    "low_critical_delay_seconds",
    "clearing_margin_k",
    "clearing_delay_seconds",
    "allowed_seconds",
    "allowed_window_seconds",
    "mkt_limit_c",
    "mkt_window_seconds",
    "is_around_set_temperature",
    "warning_deviation_k",
    "critical_deviation_k",
    "sensor_policy",
    "named_sensor_id",
    "profile_id",
)

AUDITED = (
    # Customers
    AuditedModel(
        model="customers.customer",
        label=("name",),
        customer="id",
        hot=("updated_at",),
        secret=("api_url_secret",),
        urls=("api_url",),
        needs_reason=(DELETE, "is_active", "requires_reason", "requires_signatures"),
    ),
    AuditedModel(model="customers.facility", label=("name", "facility_code"), needs_reason=(DELETE, "time_zone")),
    AuditedModel(
        model="customers.storageunit",
        label=("name", "unit_code"),
        needs_reason=(DELETE, "set_temperature", "temperature_unit", "interval_seconds", "gap_limit_seconds"),
    ),
    AuditedModel(model="customers.sensor", label=("sensor_code",)),
    # People and their roles
    AuditedModel(
        model="auth.user",
        label=("username",),
        person="id",
        hot=("last_login",),
        secret=("password",),
    ),
    AuditedModel(model="auth.group", label=("name",)),
    AuditedModel(model="auth.user_groups", label=("user__username",), person="user_id", needs_reason=()),
    AuditedModel(model="auth.user_user_permissions", label=("user__username",), person="user_id", needs_reason=()),
    AuditedModel(model="auth.group_permissions", label=("group__name",), needs_reason=()),
    AuditedModel(model="customers.membership", label=("user__username",), person="user_id"),
    AuditedModel(
        model="customers.invitation",
        label=("email",),
        hot=("sent_at",),
        secret=("secret_hash",),
        needs_reason=(DELETE,),
    ),
    AuditedModel(
        model="customers.apitoken",
        label=("token_name",),
        hot=("last_used_at",),
        secret=("token_hash",),
        needs_reason=(DELETE, "revoked_at"),
    ),
    AuditedModel(
        model="customers.apitoken_accessible_units",
        label=("apitoken__token_name",),
        customer="apitoken__customer_id",
        needs_reason=(),
    ),
    # Second factors, and accounts at an OpenID Connect provider
    AuditedModel(
        model="mfa.authenticator",
        label=("type",),
        person="user_id",
        hot=("last_used_at",),
        secret=("data",),
        needs_reason=(),
    ),
    AuditedModel(
        model="socialaccount.socialaccount",
        label=("provider",),
        person="user_id",
        hot=("last_login",),
        secret=("extra_data",),
        needs_reason=(),
    ),
    # Limits
    AuditedModel(
        model="alarms.unitlimits",
        label=_UNIT,
        hot=("updated_at",),
        needs_reason=(INSERT, DELETE, *_LIMITS),
    ),
    AuditedModel(
        model="alarms.customerlimits",
        label=("customer__name",),
        customer="customer_id",
        hot=("updated_at",),
        needs_reason=(INSERT, DELETE, "profile_id"),
    ),
    AuditedModel(model="alarms.limitprofile", label=("name",), hot=("updated_at",)),
    AuditedModel(model="alarms.limitversion", label=_UNIT, needs_reason=()),
    AuditedModel(model="readings.configurationentry", label=("key",), hot=("updated_at",)),
    # Alarms. Their timelines are records themselves.
    AuditedModel(
        model="alarms.alarm",
        label=("kind",),
        hot=("temperature_c", "recorded_at", "suppressed_by_id"),
        needs_reason=(DELETE,),
    ),
    AuditedModel(model="alarms.alarmevent", label=("kind",), operations=(UPDATE, DELETE), needs_reason=()),
    AuditedModel(model="alarms.alarmsignature", label=("meaning",), person="signer_id", needs_reason=()),
    AuditedModel(
        model="alarms.maintenancewindow", label=("reason",), unit="storage_unit_id", needs_reason=(DELETE, "ends_at")
    ),
    AuditedModel(
        model="alarms.channel",
        label=("name",),
        hot=("failures_in_a_row", "last_error", "last_success_at", "last_duration_seconds"),
        secret=("address_secret", "secret", "previous_secret"),
        urls=("address",),
        needs_reason=(DELETE, "is_enabled"),
    ),
    AuditedModel(model="alarms.rule", label=("name",), needs_reason=(DELETE, "is_enabled")),
    AuditedModel(model="alarms.rule_facilities", label=("rule__name",), customer="rule__customer_id", needs_reason=()),
    AuditedModel(
        model="alarms.rule_units",
        label=("rule__name",),
        customer="rule__customer_id",
        unit="storageunit_id",
        needs_reason=(),
    ),
    AuditedModel(model="alarms.rule_channels", label=("rule__name",), customer="rule__customer_id", needs_reason=()),
    AuditedModel(
        model="alarms.rule_escalation_channels", label=("rule__name",), customer="rule__customer_id", needs_reason=()
    ),
    AuditedModel(model="alarms.drillschedule", label=("customer__name",), hot=("next_due_at",)),
    AuditedModel(model="alarms.drill", label=("customer__name",), hot=("ended_at",)),
    # Sources, and decisions about rows that were not stored
    AuditedModel(
        model="ingestion.source",
        label=("name",),
        hot=(
            "next_due_at",
            "claim_id",
            "lease_until",
            "cursor_at",
            "failures_in_a_row",
            "polls_begun",
            "last_polled_at",
            "last_duration_seconds",
            "last_success_at",
            "last_error",
            "structure_read_at",
            "looked_back_at",
            "access_token",
            "access_token_for",
            "access_token_expires_at",
            "validated_request",
            "etag",
            "last_modified",
            "updated_at",
        ),
        secret=(
            "credentials_secret",
            "request_headers",
            "url_secret",
            "structure_url_secret",
            "token_url_secret",
            "request_body_secret",
        ),
        urls=("url", "structure_url", "token_url"),
        needs_reason=(DELETE, "is_paused"),
    ),
    AuditedModel(model="ingestion.savedmapping", label=("name",), hot=("saved_at",), needs_reason=()),
    AuditedModel(
        model="ingestion.fileimport",
        label=("created_by",),
        hot=("due_at", "claim_id", "lease_until"),
        needs_reason=(),
    ),
    AuditedModel(
        model="ingestion.conflict",
        label=_UNIT,
        operations=(UPDATE, DELETE),
        only=_DECISION,
        needs_reason=(DELETE, "state"),
    ),
    AuditedModel(
        model="ingestion.rejectedrow",
        label=("row_number",),
        secret=("raw", "header", "fingerprint"),
        operations=(UPDATE, DELETE),
        only=_DECISION,
    ),
    # Stored readings never change, except by an accepted conflict, or become revisions when they are withdrawn.
    AuditedModel(
        model="readings.reading",
        label=_UNIT,
        operations=(UPDATE, DELETE),
        unless="audit_is_withdrawn(OLD.storage_unit_id, OLD.recorded_at, OLD.sensor_id, OLD.created_at)",
        needs_reason=(),
    ),
    AuditedModel(model="readings.latereadings", label=_UNIT, operations=(UPDATE, DELETE), needs_reason=()),
    AuditedModel(model="readings.readingrevision", label=_UNIT, operations=(UPDATE, DELETE), needs_reason=()),
    # The schedule of background tasks
    AuditedModel(
        model="django_celery_beat.periodictask",
        label=("name",),
        hot=("last_run_at", "total_run_count", "date_changed"),
    ),
    AuditedModel(model="django_celery_beat.intervalschedule", label=("period",)),
    AuditedModel(model="django_celery_beat.crontabschedule", label=("hour",)),
)

_DERIVED = "computed from readings and limits; the same inputs lead to the same rows"
_LOG = "a log that the system writes"
_WORK = "work that waits for a task"
_ARCHIVE = "where readings are; archiving and restoring are events"
_SEAL = "computed from the trail and the readings, and compared with them by verify_trail"

NOT_AUDITED: Mapping[str, str] = {
    "audit.auditentry": "the trail itself",
    "audit.givenusername": "written by a trigger on the accounts, whose changes are recorded",
    "auth.permission": "created by migrations",
    "admin.logentry": "the admin's own history, which remains as people know it",
    "contenttypes.contenttype": "created by migrations",
    "sessions.session": "sign-ins are events",
    "django_celery_beat.periodictasks": "a counter",
    "django_celery_beat.solarschedule": "not used",
    "django_celery_beat.clockedschedule": "not used",
    "customers.tokenuse": "a counter",
    "customers.submission": _WORK,
    "customers.signintries": "a counter",
    "customers.knowndevice": "recognises devices; sign-ins are events",
    "usersessions.usersession": "lists sessions; sign-ins are events",
    "account.emailaddress": "not used: addresses are those of the accounts",
    "account.emailconfirmation": "not used",
    "socialaccount.socialapp": "not used: the provider is configured by settings",
    "socialaccount.socialtoken": "not used: tokens of the provider are not kept",
    "customers.knownaddress": "what sign-in attempts are throttled by; sign-ins are events",
    "readings.equipmentstatus": "words that equipment sends",
    "readings.futurereading": "becomes a reading once its time has come",
    "readings.sensorclock": _DERIVED,
    "readings.listedreading": "a view",
    "readings.listedfuturereading": "a view",
    "readings.latestreading": _DERIVED,
    "readings.hourlyrollup": _DERIVED,
    "readings.dailyrollup": _DERIVED,
    "readings.readingcount": _DERIVED,
    "readings.rolluprebuild": _WORK,
    "readings.archivedmonth": _ARCHIVE,
    "readings.archivefile": _ARCHIVE,
    "readings.recalledunit": _ARCHIVE,
    "seals.settledcheckpoint": _WORK,
    "seals.chainlink": _SEAL,
    "seals.dayseal": _SEAL,
    "seals.readingblock": _SEAL,
    "seals.timestamp": _SEAL,
    "alarms.excursion": _DERIVED,
    "alarms.sensorfault": _DERIVED,
    "alarms.evaluationfailure": _WORK,
    "alarms.mktcheck": _WORK,
    "alarms.reevaluation": _WORK,
    "alarms.message": _LOG,
    "alarms.attempt": _LOG,
    "ingestion.delivery": _LOG,
    "ingestion.deleteddeliveries": "totals of a log",
    "ingestion.sourceunit": _DERIVED,
    "ingestion.sourcesetup": "an unfinished form; the source that it sets up is recorded",
    "ingestion.importfile": "the files of an import, whose storing and undoing are recorded",
    "ingestion.receivedmessage": _LOG,
    "ingestion.sourcefile": _LOG,
    "temperature_site.queueheartbeat": "heartbeats",
    "temperature_site.demosystem": "the demo",
    "temperature_site.forwardedheaders": "a warning for the operator",
    "temperature_site.backup": "completed backups",
    "temperature_site.systemproblem": "problems of the system itself, for its operator",
}
