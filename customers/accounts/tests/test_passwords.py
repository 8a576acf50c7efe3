"""Which passwords are rejected, and that a new one is told to the owner."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from pytest_django import Settings

from customers.accounts.passwords import is_listed
from tests.factories import CustomerFactory, InvitationFactory, MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db


def digest_of(password: str) -> str:
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def codes(password: str, user: User | None = None) -> set[str | None]:
    try:
        validate_password(password, user)
    except ValidationError as refused:
        return {error.code for error in refused.error_list}
    return set()


@pytest.mark.parametrize(
    "password",
    ["aaaaaaaaaaaa", "abababababab", "coldcoldcold", "abcdefghijkl", "0987654321", "qwertyuiop", "1212121212"],
)
def test_repetitions_and_sequences_are_rejected(password: str) -> None:
    assert "repetition" in codes(password)


@pytest.mark.parametrize("password", ["password123", "Password123", "liverpool1", "1q2w3e4r5t"])
def test_common_passwords_are_rejected(password: str) -> None:
    assert "password_too_common" in codes(password)


@pytest.mark.parametrize("password", ["correct horse battery", "4#kPz!29vQx&", "rain in may 2026"])
def test_other_passwords_are_accepted(password: str) -> None:
    assert codes(password) == set()


@pytest.mark.parametrize("password", ["PharmaNorth2026!", "northpharma-1", "Temperature2026", "PHN7-2026!!a"])
def test_names_of_the_persons_customer_and_of_the_site_are_rejected(password: str) -> None:
    member = MembershipFactory(customer__customer_code="PHN7", customer__name="Pharma North Ltd")
    assert "name" in codes(password, member.user)


def test_a_name_within_a_longer_password_is_accepted() -> None:
    member = MembershipFactory(customer__name="Pharma North Ltd")
    assert codes("pharma elephants like rain", member.user) == set()


def test_the_name_of_the_inviting_customer_is_rejected_for_an_account_to_be() -> None:
    InvitationFactory(customer=CustomerFactory(name="Pharma North Ltd"), email="new@example.com")
    assert "name" in codes("PharmaNorth2026!", User(username="new@example.com", email="new@example.com"))
    assert codes("PharmaNorth2026!", UserFactory()) == set()


class TestBreachedPasswords:
    @pytest.fixture
    def file(self, tmp_path: Path, settings: Settings) -> Path:
        """Return a file with 500 hashes in order, each with a count, and configure it."""
        digests = sorted(digest_of(f"password {number}") for number in range(500))
        path = tmp_path / "breached.txt"
        path.write_text("".join(f"{digest}:{number}\r\n" for number, digest in enumerate(digests)))
        settings.BREACHED_PASSWORDS_FILE = str(path)
        return path

    def test_every_listed_password_is_found_and_no_other(self, file: Path) -> None:
        found = [is_listed(digest_of(f"password {number}"), file) for number in range(1000)]
        assert found == [True] * 500 + [False] * 500

    @pytest.mark.parametrize("text", ["", "F" * 40 + "\n", "0" * 40])
    def test_short_files_are_searched_too(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "short.txt"
        path.write_text(text)
        assert [is_listed(each * 40, path) for each in "0F7"] == [each * 40 in text for each in "0F7"]

    def test_a_breached_password_is_rejected(self, file: Path) -> None:
        assert codes("password 77") == {"breached"}

    def test_nothing_is_compared_without_a_file(self) -> None:
        assert codes("password 77") == set()
