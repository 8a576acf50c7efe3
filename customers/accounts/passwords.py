"""Rules for passwords beyond Django's: no repetition, no names of customers or of the site, none that was breached."""

from __future__ import annotations

import os
import re
from hashlib import sha1
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.contrib.auth.models import AbstractUser, User
from django.core.exceptions import ValidationError
from django.db.models import Q

from customers.accounts import notices
from customers.models import Customer

MIN_DISTINCT = 5
SITE_NAMES = ("temperature", "monitoring", "cold store")
# Shorter words are part of many others.
MIN_WORD = 4
# The letters that must remain beside the names.
MIN_REMAINING = 6
_REPEATED = re.compile(r"(.{1,8}?)\1+.{0,3}", re.DOTALL)
_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789" * 2,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)


class RepetitionValidator:
    """Reject passwords of few different characters, of a repeated part, or in the order of alphabet or keyboard."""

    def validate(self, password: str, user: AbstractUser | None = None) -> None:
        """Raise ValidationError."""
        text = password.casefold()
        is_sequence = any(text in sequence or text in sequence[::-1] for sequence in _SEQUENCES)
        if len(set(text)) < MIN_DISTINCT or _REPEATED.fullmatch(text) or is_sequence:
            raise ValidationError("This password consists of repetitions or a sequence.", code="repetition")

    def get_help_text(self) -> str:
        """Return what people should know."""
        return "Your password must not consist of repetitions or a sequence."


class NameValidator:
    """Reject passwords that consist mostly of the names of the person's customers or of the site."""

    def validate(self, password: str, user: AbstractUser | None = None) -> None:
        """Raise ValidationError."""
        rest = password.casefold()
        words = sorted(_words(user), key=len, reverse=True)
        found = [word for word in words if word in rest]
        for word in found:
            rest = rest.replace(word, " ")
        if found and len(re.sub(r"[\W\d_]", "", rest)) < MIN_REMAINING:
            raise ValidationError("This password is mostly a name of your organisation or of this site.", code="name")

    def get_help_text(self) -> str:
        """Return what people should know."""
        return "Your password must not be mostly the name of your organisation or of this site."


class BreachValidator:
    """Reject passwords whose SHA-1 hash is in BREACHED_PASSWORDS_FILE."""

    def validate(self, password: str, user: AbstractUser | None = None) -> None:
        """Raise ValidationError."""
        # SHA-1 is the format of the list; nothing is protected by it.
        digest = sha1(password.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper()
        if settings.BREACHED_PASSWORDS_FILE and is_listed(digest, Path(settings.BREACHED_PASSWORDS_FILE)):
            raise ValidationError("This password has appeared in a data breach. Choose another one.", code="breached")

    def get_help_text(self) -> str:
        """Return what people should know."""
        is_checked = bool(settings.BREACHED_PASSWORDS_FILE)
        return "Your password must not be known from a data breach." if is_checked else ""


class ChangeNotice:
    """Mail people that their password was changed. Django calls validators on every change, wherever it is made."""

    def validate(self, password: str, user: AbstractUser | None = None) -> None:
        """Accept every password."""

    def password_changed(self, password: str, user: AbstractUser | None = None) -> None:
        """Notify the owner of an account that was in use."""
        if isinstance(user, User) and user.pk and user.last_login is not None:
            notices.notify(user, "password_changed")

    def get_help_text(self) -> str:
        """Return nothing: this is no rule."""
        return ""


def is_listed(digest: str, path: Path) -> bool:
    """Return whether the ordered file has a line that starts with `digest`, by bisection: the file may have 40 GB."""
    wanted = digest.encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:
            middle = (low + high) // 2
            line = _line_from(file, middle)
            if line[: len(wanted)].upper() < wanted and line:
                low = middle + 1
            else:
                high = middle
        return _line_from(file, low)[: len(wanted)].upper() == wanted


def _line_from(file: BinaryIO, position: int) -> bytes:
    """Return the first line that begins at or after `position`, b"" at the end."""
    if position:
        file.seek(position - 1)
        file.readline()
    else:
        file.seek(0)
    return file.readline()


def _words(user: AbstractUser | None) -> set[str]:
    """Return the words of the names that are known to belong to the person's customers, and of the site."""
    names = list(SITE_NAMES)
    if isinstance(user, User):
        mine = Q(memberships__user=user.pk) if user.pk else Q(pk=None)
        invited = Q(invitations__email__iexact=user.email) if user.email else Q(pk=None)
        for code, name in Customer.objects.filter(mine | invited).values_list("customer_code", "name").distinct():
            names += [code, name]
    return {word for name in names for word in re.findall(r"\w+", name.casefold()) if len(word) >= MIN_WORD}
