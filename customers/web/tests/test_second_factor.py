"""Second factors: adding one, signing in with it, and customers that require one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from fido2.cose import ES256, RS256, CoseKey, EdDSA
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData
from pytest_django import DjangoCaptureOnCommitCallbacks

from audit.models import AuditEntry
from core.crypto.encryption import decrypt
from customers.access.login_throttle import ATTEMPTS_PER_ACCOUNT
from customers.models import Customer
from tests.factories import PASSWORD, CustomerFactory, MembershipFactory, StorageUnitFactory, UserFactory, make_token
from tests.responses import PageResponse
from tests.software_passkey import DAMAGED_ANSWER, registration

pytestmark = pytest.mark.django_db

PAGES = [
    "mfa_index",
    "mfa_activate_totp",
    "mfa_view_recovery_codes",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "account_reauthenticate",
    "sessions",
    "socialaccount_connections",
]


def code_for(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def sign_in(client: Client, user: User, **fields: str) -> PageResponse:
    return client.post(reverse("login"), {"username": user.get_username(), "password": PASSWORD, **fields})


def confirm(client: Client) -> PageResponse:
    """Confirm the password, as changes of second factors require."""
    return client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def add_app(client: Client) -> PageResponse:
    confirm(client)
    page = client.get(reverse("mfa_activate_totp")).content.decode()
    [secret] = re.findall(r"Key: <code[^>]*>(\w+)</code>", page)
    return client.post(reverse("mfa_activate_totp"), {"code": code_for(secret)}, follow=True)


def send_code(client: Client, code: str) -> PageResponse:
    return client.post(reverse("mfa_authenticate"), {"code": code})


@pytest.fixture
def person() -> User:
    return UserFactory(username="quality")


@pytest.fixture
def secret(person: User) -> str:
    """Give the person an authenticator app; return its secret."""
    secret = str(generate_totp_secret())
    # Activating needs a request only for the secret's encryption, which the adapter does without one.
    TOTP.activate(person, secret)
    return secret


def test_an_authenticator_app_is_added_with_recovery_codes(client: Client, person: User) -> None:
    sign_in(client, person)

    response = add_app(client)

    assert response.redirect_chain[-1][0] == reverse("mfa_view_recovery_codes")
    assert len(re.findall(r"^\w{8}$", response.content.decode(), re.MULTILINE)) >= 9
    stored = Authenticator.objects.get(user=person, type="totp").data["secret"]
    assert len(decrypt(stored)) == 32


def test_signing_in_needs_the_second_factor(client: Client, person: User, secret: str) -> None:
    assert sign_in(client, person, next="/account/password")["Location"] == reverse("mfa_authenticate")
    assert not get_user(client).is_authenticated
    assert client.get("/").status_code == 302
    assert "Incorrect code" in send_code(client, "000000").content.decode()

    assert send_code(client, code_for(secret))["Location"] == "/account/password"

    assert get_user(client) == person
    actions = AuditEntry.objects.filter(person_id=person.pk).values_list("action", flat=True)
    assert set(actions) >= {"signed_in", "sign_in_failed"}


def test_a_code_of_the_app_works_once_in_all_processes(client: Client, person: User, secret: str) -> None:
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    with time_machine.travel(datetime(2026, 11, 24, 10, tzinfo=UTC), tick=False):
        code = code_for(secret)
        sign_in(client, person)
        assert send_code(client, code).status_code == 302
        client.post(reverse("logout"))
        sign_in(client, person)
        assert send_code(client, code).status_code == 200


def test_a_recovery_code_works_once(client: Client, person: User, secret: str) -> None:
    code = RecoveryCodes.activate(person).get_unused_codes()[0]
    sign_in(client, person)
    assert send_code(client, code).status_code == 302
    client.post(reverse("logout"))
    sign_in(client, person)
    assert send_code(client, code).status_code == 200


def test_codes_cannot_be_guessed(client: Client, person: User, secret: str) -> None:
    sign_in(client, person)
    answers = [send_code(client, "000000").status_code for _ in range(ATTEMPTS_PER_ACCOUNT)]
    assert answers == [*[200] * (ATTEMPTS_PER_ACCOUNT - 1), 429]
    assert send_code(client, code_for(secret)).status_code == 429


def test_the_password_must_be_confirmed_to_change_a_second_factor(client: Client, person: User, secret: str) -> None:
    client.force_login(person)
    assert reverse("account_reauthenticate") in client.get(reverse("mfa_deactivate_totp"))["Location"]
    assert reverse("account_reauthenticate") in client.post(reverse("mfa_deactivate_totp"))["Location"]
    assert Authenticator.objects.exists()


def test_the_password_cannot_be_guessed_where_it_is_confirmed(client: Client, person: User) -> None:
    client.force_login(person)
    url = reverse("account_reauthenticate")
    answers = [client.post(url, {"password": "guess"}).status_code for _ in range(ATTEMPTS_PER_ACCOUNT + 1)]
    assert answers[-1] == 429
    assert 302 not in answers


def test_confirming_resets_the_attempts(client: Client, person: User) -> None:
    client.force_login(person)
    assert {confirm(client).status_code for _ in range(ATTEMPTS_PER_ACCOUNT + 1)} == {302}


def test_a_person_without_password_may_add_a_second_factor(client: Client, person: User) -> None:
    User.objects.filter(pk=person.pk).update(password="!")
    client.force_login(User.objects.get())
    assert client.get(reverse("mfa_activate_totp")).status_code == 200


def test_a_token_has_no_second_factor(client: Client) -> None:
    token, text = make_token()
    client.post(reverse("login"), {"username": token.customer.customer_code, "password": text})
    assert client.get("/").status_code == 200
    assert {client.get(reverse(page)).status_code for page in PAGES} == {403}


@pytest.mark.parametrize(
    "answer",
    ["[" * 100_000, "{", "{}", "null", "[]", '{"rawId": 1}', '{"rawId": "YQ", "response": {}}', DAMAGED_ANSWER],
)
@pytest.mark.parametrize("page", ["mfa_login_webauthn", "mfa_authenticate", "mfa_reauthenticate_webauthn"])
def test_what_no_passkey_answers_is_refused(client: Client, person: User, secret: str, page: str, answer: str) -> None:
    if page == "mfa_reauthenticate_webauthn":
        client.force_login(person)
    elif page == "mfa_authenticate":
        sign_in(client, person)
    response = client.post(reverse(page), {"credential": answer})
    assert response.status_code in (200, 302, 400)
    assert get_user(client).is_authenticated is (page == "mfa_reauthenticate_webauthn")


WITHOUT_KEY = AttestationObject.create("none", AuthenticatorData.create(bytes(32), AuthenticatorData.FLAG.UP, 0), {})


@pytest.mark.parametrize(
    "answer",
    [
        *(
            registration(damaged)
            for damaged in (b"", b"\xff", b"\xfb\0", b"\x81" * 5_000, WITHOUT_KEY[:-3], WITHOUT_KEY)
        ),
        registration(WITHOUT_KEY, origin=1),
        DAMAGED_ANSWER,
    ],
)
def test_a_damaged_passkey_is_not_registered(client: Client, person: User, answer: str) -> None:
    client.force_login(person)
    confirm(client)
    client.get(reverse("mfa_add_webauthn"))

    response = client.post(reverse("mfa_add_webauthn"), {"name": "Key", "credential": answer})

    assert response.status_code == 400
    assert not Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists()


@pytest.mark.parametrize(
    ("key", "is_usable"),
    [
        (ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key()), True),  # type: ignore[no-untyped-call]  # fido2's
        (EdDSA.from_cryptography_key(ed25519.Ed25519PrivateKey.generate().public_key()), True),  # type: ignore[no-untyped-call]  # fido2's
        (RS256.from_cryptography_key(rsa.generate_private_key(65537, 2048).public_key()), True),  # type: ignore[no-untyped-call]  # fido2's
        pytest.param(CoseKey({1: 2, 3: -999, -1: b"key"}), False, id="of an unknown kind"),
        pytest.param(CoseKey({1: 2, 3: -7, -1: 1}), False, id="without its coordinates"),
    ],
)
def test_a_passkey_is_registered_if_its_signatures_can_be_checked(
    client: Client, person: User, key: CoseKey, is_usable: bool
) -> None:
    client.force_login(person)
    confirm(client)
    client.get(reverse("mfa_add_webauthn"))
    known = AttestedCredentialData.create(bytes(16), bytes(16), key)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    stored = AuthenticatorData.create(sha256(b"testserver").digest(), flags, 0, known)
    challenge = client.session["mfa.webauthn.state"]["challenge"]
    answer = registration(AttestationObject.create("none", stored, {}), "https://testserver", challenge)

    response = client.post(reverse("mfa_add_webauthn"), {"name": "Key", "credential": answer})

    assert response.status_code == (302 if is_usable else 400)
    assert Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).exists() is is_usable


class TestRequiredSecondFactor:
    @pytest.fixture
    def customer(self) -> Customer:
        customer: Customer = StorageUnitFactory(name="Vaccines").facility.customer
        Customer.objects.filter(pk=customer.pk).update(requires_second_factor=True)
        return customer

    @pytest.fixture(params=[lambda client, user: client.force_login(user), sign_in], ids=["earlier session", "sign-in"])
    def enter(self, request: pytest.FixtureRequest) -> Callable[[Client, User], object]:
        enter: Callable[[Client, User], object] = request.param
        return enter

    def test_without_one_a_member_has_no_access(
        self, client: Client, customer: Customer, person: User, enter: Callable[[Client, User], object]
    ) -> None:
        MembershipFactory(customer=customer, user=person, role="manager")
        enter(client, person)
        page = client.get("/").content.decode()
        assert "Vaccines" not in page
        assert "Set one up to get access" in page
        assert client.get(reverse("settings-people", args=[customer.public_id])).status_code == 403
        assert client.get("/api/v1/facilities").json().get("items", []) == []

    def test_signing_in_leads_to_the_page_that_adds_one(self, client: Client, customer: Customer, person: User) -> None:
        MembershipFactory(customer=customer, user=person)
        assert sign_in(client, person)["Location"] == reverse("mfa_index")

    def test_with_one_a_member_has_access(self, client: Client, customer: Customer, person: User, secret: str) -> None:
        MembershipFactory(customer=customer, user=person)
        client.force_login(person)
        assert "Vaccines" in client.get("/").content.decode()

    def test_recovery_codes_alone_are_none(self, client: Client, customer: Customer, person: User) -> None:
        MembershipFactory(customer=customer, user=person)
        RecoveryCodes.activate(person)
        client.force_login(person)
        assert "Vaccines" not in client.get("/").content.decode()

    @pytest.mark.parametrize("has_factor", [False, True])
    def test_the_operator_requires_one_of_all_members(
        self, client: Client, person: User, request: pytest.FixtureRequest, has_factor: bool
    ) -> None:
        MembershipFactory(customer=StorageUnitFactory(name="Blood bank").facility.customer, user=person)
        if has_factor:
            request.getfixturevalue("secret")
        with override_settings(MEMBER_SECOND_FACTOR=True):
            client.force_login(person)
            page = client.get("/").content.decode()
        assert ("Blood bank" in page, "Set one up to get access" in page) == (has_factor, not has_factor)

    def test_other_customers_stay_accessible(self, client: Client, customer: Customer, person: User) -> None:
        other = StorageUnitFactory(name="Blood bank")
        for each in (customer, other.facility.customer):
            MembershipFactory(customer=each, user=person)
        client.force_login(person)
        page = client.get("/").content.decode()
        assert "Blood bank" in page
        assert "Vaccines" not in page

    @pytest.mark.parametrize(("role", "status", "required"), [("manager", 302, True), ("operator", 403, False)])
    def test_managers_decide(self, client: Client, role: str, status: int, required: bool) -> None:
        customer = CustomerFactory()
        client.force_login(MembershipFactory(customer=customer, role=role).user)
        url = reverse("settings-second-factor", args=[customer.public_id])
        assert client.post(url, {"required": "yes"}).status_code == status
        customer.refresh_from_db()
        assert customer.requires_second_factor is required


class TestSessions:
    def sessions(self, client: Client) -> list[UserSession]:
        listed: list[UserSession] = client.get(reverse("sessions")).context["sessions"]
        return listed

    @pytest.fixture
    def phone(self, person: User) -> Client:
        phone = Client(headers={"User-Agent": "a phone"})
        sign_in(phone, person)
        return phone

    def test_a_session_on_another_device_is_ended(self, client: Client, phone: Client, person: User) -> None:
        sign_in(client, person)
        [other] = [each for each in self.sessions(client) if each.user_agent == "a phone"]

        client.post(reverse("sessions"), {"session": other.pk})

        assert get_user(phone).is_authenticated is False
        assert get_user(client) == person
        assert [each.user_agent for each in self.sessions(client)] != ["a phone"]

    def test_all_other_sessions_are_ended(self, client: Client, phone: Client, person: User) -> None:
        sign_in(client, person)
        client.post(reverse("sessions"))
        assert (get_user(phone).is_authenticated, get_user(client).is_authenticated) == (False, True)

    @pytest.mark.parametrize("unknown", ["0", "9" * 20, "9" * 5_000, "\u0663", "all"])
    def test_a_session_that_is_none_ends_nothing(
        self, client: Client, phone: Client, person: User, unknown: str
    ) -> None:
        sign_in(client, person)
        assert client.post(reverse("sessions"), {"session": unknown}).status_code == 302
        assert (get_user(phone).is_authenticated, get_user(client).is_authenticated) == (True, True)

    def test_sessions_of_others_are_out_of_reach(self, client: Client, phone: Client) -> None:
        client.force_login(UserFactory())
        assert self.sessions(client) == []
        client.post(reverse("sessions"), {"session": UserSession.objects.get().pk})
        assert get_user(phone).is_authenticated

    def test_a_new_password_ends_other_sessions(self, client: Client, phone: Client, person: User) -> None:
        sign_in(client, person)
        new = "another correct horse"
        client.post(reverse("password-change"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
        assert len(self.sessions(client)) == 1
        assert (get_user(phone).is_authenticated, get_user(client).is_authenticated) == (False, True)

    def test_a_deactivated_account_has_none_when_it_is_activated_again(self, phone: Client, person: User) -> None:
        assert get_user(phone) == person

        for is_active in (False, True):
            person.is_active = is_active
            person.save()

        assert not get_user(phone).is_authenticated

    def test_a_new_second_factor_ends_sessions_that_began_without_it(
        self,
        client: Client,
        phone: Client,
        person: User,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        sign_in(client, person)
        with django_capture_on_commit_callbacks(execute=True):
            add_app(client)
        assert (get_user(phone).is_authenticated, get_user(client).is_authenticated) == (False, True)
