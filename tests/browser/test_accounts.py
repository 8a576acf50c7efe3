"""Second factors in the browser: adding an app and a passkey, and signing in with the passkey alone."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import Settings

from alarms.models import AlarmSignature
from tests.alarm_factories import AlarmFactory
from tests.browser.axe import load_axe, violations
from tests.browser.conftest import Visit
from tests.factories import PASSWORD, MembershipFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def person() -> User:
    user: User = MembershipFactory(user__username="quality").user
    return user


@pytest.fixture
def page(visit: Visit, person: User, settings: Settings) -> Page:
    """Open a window with a device that confirms passkeys, signed in, with the password confirmed."""
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    load_axe(visit)
    browser = visit.page.context.new_cdp_session(visit.page)
    browser.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options = {**device, "isUserVerified": True, "automaticPresenceSimulation": True}
    browser.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page = visit.sign_in_by_form(person)
    visit.open(reverse("account_reauthenticate") + "?next=" + reverse("mfa_index"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(visit.site + reverse("mfa_index"))
    return page


def test_a_passkey_is_added_and_signs_in_without_a_password(visit: Visit, page: Page, person: User) -> None:
    page.get_by_role("link", name="Add passkey").click()
    found = {"mfa_add_webauthn": violations(page)}
    page.get_by_label("Sign in without a password").check()
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url(visit.site + reverse("mfa_view_recovery_codes"))
    found["mfa_view_recovery_codes"] = violations(page)
    passkey = Authenticator.objects.get(user=person, type="webauthn")
    for name in ("mfa_index", "mfa_list_webauthn", "mfa_generate_recovery_codes"):
        found[name] = violations(visit.open(reverse(name)))
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        found[name] = violations(visit.open(reverse(name, args=[passkey.pk])))
    page.get_by_role("button", name="Sign out").click()

    page.get_by_role("button", name="Sign in with a passkey").click()

    page.wait_for_url(visit.site + "/")
    expect(page.get_by_role("button", name="Sign out quality")).to_be_visible()
    assert {name: each for name, each in found.items() if each} == {}


def test_an_authenticator_app_is_added_and_asked_for(visit: Visit, page: Page, person: User) -> None:
    page.get_by_role("link", name="Add authenticator app").click()
    found = {"mfa_activate_totp": violations(page)}
    secret = re.findall(r"Key:\s*(\w+)", page.locator("main").inner_text())[0]
    code = str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))
    page.get_by_label("Authenticator code").fill(code)
    page.keyboard.press("Enter")
    page.wait_for_url(visit.site + reverse("mfa_view_recovery_codes"))
    recovery_code = page.locator("pre").inner_text().split()[0]
    found["mfa_deactivate_totp"] = violations(visit.open(reverse("mfa_deactivate_totp")))
    page.get_by_role("button", name="Sign out").click()

    page.get_by_label("User name or customer code").fill("quality")
    page.get_by_label("Password or API token").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(visit.site + reverse("mfa_authenticate"))
    found["mfa_authenticate"] = violations(page)
    page.get_by_label("Code").fill(recovery_code)
    page.keyboard.press("Enter")

    page.wait_for_url(visit.site + "/")
    assert {name: each for name, each in found.items() if each} == {}


def test_an_alarm_is_signed_with_a_passkey(visit: Visit, page: Page, person: User) -> None:
    person.memberships.update(role="operator")
    alarm = AlarmFactory(storage_unit=StorageUnitFactory(facility__customer=person.memberships.get().customer))
    page.get_by_role("link", name="Add passkey").click()
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url(visit.site + reverse("mfa_view_recovery_codes"))
    visit.open(reverse("alarm", args=[alarm.public_id]))
    acknowledge = page.locator("#acknowledge")
    acknowledge.get_by_label("Planned action").fill("On my way")
    visit.expects_errors = True  # the server answers 400 until the form is complete
    acknowledge.get_by_role("button", name="Sign with a passkey").click()
    expect(acknowledge.get_by_role("alert")).to_have_text("Choose what your signature means.")
    acknowledge.get_by_label("Sign as").select_option("Responsible")

    acknowledge.get_by_role("button", name="Sign with a passkey").click()

    expect(page.locator("#messages")).to_contain_text("Alarm acknowledged.")
    expect(page.get_by_role("region", name="Signatures")).to_contain_text("Confirmed with a passkey.")
    signature = AlarmSignature.objects.get()
    assert (signature.method, signature.meaning, signature.signer_id) == ("passkey", "responsible", person.pk)


def test_pages_of_links_are_accessible(visit: Visit) -> None:
    load_axe(visit)
    pages = [reverse("password-forgotten"), reverse("invitation-link", args=["unknown"])]
    visit.expects_errors = True  # an unknown link is answered with 410
    assert [violations(visit.open(path)) for path in pages] == [[], []]
