"""Test data for every page of the site, and the URL of each page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from alarms.models import Alarm, Channel, Drill, LimitProfile, Rule
from customers.models import Facility, StorageUnit
from ingestion.models import Conflict, Delivery, FileImport, RejectedRow, Source, SourceSetup
from readings.storage.closing import closes_at
from seals.tests.sealed_data import DAY, seal_until
from tests.alarm_factories import (
    AlarmFactory,
    ClosedAlarmFactory,
    MaintenanceWindowFactory,
    MessageFactory,
    NoDataAlarmFactory,
    RuleFactory,
    WebhookChannelFactory,
)
from tests.factories import (
    ConflictFactory,
    DeliveryFactory,
    FacilityFactory,
    ImportFileFactory,
    InvitationFactory,
    MembershipFactory,
    RejectedRowFactory,
    SourceSetupFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
    store_readings,
)

# URLs that do not return a page, accept only forms, or redirect to a page that is tested.
NOT_PAGES = {
    "unit-series",
    "unit-csv",
    "trail-csv",
    "seals-csv",
    "unit-excursions",
    "alarm-acknowledge",
    "alarm-comment",
    "alarm-signing",
    "alarm-close",
    "alarm-count",
    "settings-end-maintenance",
    "source-schedule",
    "setup-discard",
    "import-change",
    "import-undo",
    "import-progress",
    "source-rejected-rows",
    "source-conflicts",
    "former-source-pages",
    "settings-display",
    "settings-revoke-token",
    "settings-member",
    "settings-sensor-retirement",
    "settings-invitation",
    "password-forgotten",
    "invitation-link",
    "invitation",
    "settings-change-channel",
    "settings-delete-rule",
    "settings-resend-message",
    "settings-drill",
    "settings-drill-schedule",
    "logout",
    "password-set",
    "password-change-done",
    "login",
    "account_login",
    "account_logout",
    "settings-second-factor",
    # In tests/browser/test_accounts.py, whose person has confirmed their password.
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
    "mfa_add_webauthn",
    "mfa_reauthenticate_webauthn",
    "mfa_login_webauthn",
    "mfa_remove_webauthn",
    "mfa_edit_webauthn",
    # Lead to the provider, or back from it.
    "socialaccount_signup",
    "socialaccount_login_cancelled",
    "socialaccount_login_error",
    "openid_connect_login",
    "openid_connect_callback",
}

UNDERSTOOD = [
    {
        "position": position, "row_number": row, "facility_code": "north", "unit_code": "vaccines", "sensor_code": "",
        "recorded_at": f"2026-11-23T10:{row:02}:00+00:00", "time_zone": "Europe/London", "temperature_c": 5.0,
        "scale": "F", "scale_reason": 'given by the title "Temp, °F"',
    }
    for position, row in (("first", 2), ("middle", 7), ("last", 11))
]  # fmt: skip


@dataclass(frozen=True)
class World:
    """A customer with facility, units, source and members, and a staff user."""

    facility: Facility
    unit: StorageUnit
    source: Source
    delivery: Delivery
    draft: FileImport
    setup: SourceSetup
    rejected: RejectedRow
    conflict: Conflict
    alarm: Alarm
    channel: Channel
    rule: Rule
    staff: User
    manager: User

    @property
    def addresses(self) -> dict[str, str]:
        """The address of every page for signed-in people, by the page's name."""
        customer = self.facility.customer
        arguments: dict[str, list[Any]] = {
            "facility": [self.facility.public_id],
            "unit": [self.unit.public_id],
            "source": [self.source.public_id],
            "source-test": [self.source.public_id],
            "import": [self.draft.public_id],
            "setup-step": [self.setup.public_id, "units"],
            "source-delivery": [self.source.public_id, self.delivery.public_id],
            "alarm": [self.alarm.public_id],
            "settings-tokens": [customer.public_id],
            "settings-people": [customer.public_id],
            "settings-units": [customer.public_id],
            "settings-customer-limits": [customer.public_id],
            "settings-unit": [customer.public_id, self.unit.public_id],
            "settings-unit-limits": [customer.public_id, self.unit.public_id],
            "settings-limit-replay": [customer.public_id, self.unit.public_id],
            "settings-maintenance": [customer.public_id],
            "settings-limit-profile": [LimitProfile.objects.get(is_default=True).public_id],
            "settings-notifications": [customer.public_id],
            "settings-new-channel": [customer.public_id],
            "settings-channel": [customer.public_id, self.channel.public_id],
            "settings-new-rule": [customer.public_id],
            "settings-rule": [customer.public_id, self.rule.public_id],
            "unit-history": [self.unit.public_id],
            "source-history": [self.source.public_id],
            "alarm-history": [self.alarm.public_id],
            "settings-history": [customer.public_id],
            "settings-member-history": [customer.public_id, self.manager.memberships.get().pk],
        }
        plain = [
            "overview", "facilities", "analytics", "analytics-comparison", "analytics-deviation", "analytics-quality",
            "sources", "imports", "setup", "settings", "password-change", "sessions", "mfa_index", "mfa_list_webauthn",
            "account_reauthenticate",
            "socialaccount_connections", "alarms", "settings-limit-profiles", "settings-new-limit-profile", "trail",
            "seals",
        ]  # fmt: skip
        return {name: reverse(name, args=arguments.get(name)) for name in [*plain, *arguments]}


def make_world() -> World:
    """Create one unit within its limits, one far beyond them and one without readings, a rejected row and a conflict.

    The one far beyond them has an unacknowledged alarm, which inhibits another, and a closed one.
    """
    now = timezone.now()
    facility = FacilityFactory(name="North plant", customer__name="Cold Ltd", time_zone="Europe/London")
    units = [StorageUnitFactory(facility=facility, name=name) for name in ("Vaccines", "Blood bank", "Lobby fridge")]
    for unit, temperature_c in zip(units[:2], (5.0, 14.0), strict=True):
        day = [temperature_c + (number % 7) / 5 for number in range(96)]
        store_readings(unit, [*day[:40], None, *day[41:]], start=now - timedelta(days=1), every=timedelta(minutes=15))
    sent_at = now - timedelta(minutes=5)
    rejected = RejectedRowFactory(
        raw=json.dumps({"unit_id": units[2].unit_code, "temperature": 5.5, "timestamp": sent_at.isoformat()}),
        delivery__source__customer=facility.customer,
        delivery__source__last_success_at=now - timedelta(minutes=3),
        delivery__source__cursor_at=now - timedelta(minutes=4),
    )
    source = rejected.source
    assert source is not None
    DeliveryFactory(source=source, status="failure", error_reason="timeout", error_message="No answer in 15 s.")
    conflict = ConflictFactory(
        storage_unit=units[0],
        sensor=units[0].sensors.get(),
        recorded_at=units[0].latest_reading.recorded_at,
        delivery=DeliveryFactory(source=source, records_conflicting=1, status="partial"),
    )
    seal_until(closes_at(DAY), facility.customer)
    make_token(facility.customer, token_name="exporter")
    InvitationFactory(customer=facility.customer)
    MembershipFactory(customer=facility.customer, role="viewer")
    manager = MembershipFactory(customer=facility.customer, role="manager").user
    MaintenanceWindowFactory(customer=facility.customer)
    ClosedAlarmFactory(storage_unit=units[1], cause="The door.", corrective_action="A closer.", severity="warning")
    alarm = AlarmFactory(storage_unit=units[1], started_at=now - timedelta(hours=5))
    NoDataAlarmFactory(storage_unit=units[2], suppressed_by=alarm)
    channel = WebhookChannelFactory(customer=facility.customer, name="the shift")
    rule = RuleFactory(customer=facility.customer, channels=[channel], name="at night")
    MessageFactory(channel=channel, state="dead")
    Drill.objects.create(customer=facility.customer, started_at=now, ended_at=now)
    understood = DeliveryFactory(
        source=source, notes=["No scale is given: °C was assumed. Set the scale."], understood=UNDERSTOOD
    )
    draft = ImportFileFactory(file_import__customer=facility.customer).file_import
    setup = SourceSetupFactory(source__customer=facility.customer)
    return World(
        facility,
        units[0],
        source,
        understood,
        draft,
        setup,
        rejected,
        conflict,
        alarm,
        channel,
        rule,
        StaffFactory(),
        manager,
    )
