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


class PasswordRules:
    """Reject repetitions, names and breached passwords, and tell the owner of every change.

    Django calls its validators wherever a password is set: on pages, in the admin and by commands.
    """

    def validate(self, password: str, user: AbstractUser | None = None) -> None:
        """Raise ValidationError with every rule that the password breaks."""
        text = password.casefold()
        errors = []
        if is_repetitive(text):
            errors.append(ValidationError("This password consists of repetitions or a sequence.", code="repetition"))
        if is_mostly_a_name(text, _words(user)):
            message = "This password is mostly a name of your organisation or of this site."
            errors.append(ValidationError(message, code="name"))
        if is_breached(password):
            message = "This password has appeared in a data breach. Choose another one."
            errors.append(ValidationError(message, code="breached"))
        if errors:
            raise ValidationError(errors)

    def password_changed(self, password: str, user: AbstractUser | None = None) -> None:
        """Notify the owner of an account that was in use."""
        if isinstance(user, User) and user.pk and user.last_login is not None:
            notices.notify(user, "password_changed")

    def get_help_text(self) -> str:
        """Return what people should know."""
        return "Your password must not be a repetition or sequence, the name of your organisation or site, or breached."


def is_repetitive(text: str) -> bool:
    """Return whether it has few different characters, repeats a part, or follows the alphabet or the keyboard."""
    is_sequence = any(text in sequence or text in sequence[::-1] for sequence in _SEQUENCES)
    return len(set(text)) < MIN_DISTINCT or _REPEATED.fullmatch(text) is not None or is_sequence


def is_mostly_a_name(text: str, words: set[str]) -> bool:
    """Return whether little remains of it without these words."""
    found = [word for word in sorted(words, key=len, reverse=True) if word in text]
    for word in found:
        text = text.replace(word, " ")
    return bool(found) and len(re.sub(r"[\W\d_]", "", text)) < MIN_REMAINING


def is_breached(password: str) -> bool:
    """Return whether its SHA-1 hash is in BREACHED_PASSWORDS_FILE. SHA-1 is the list's format; it protects nothing."""
    digest = sha1(password.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().upper()
    return bool(settings.BREACHED_PASSWORDS_FILE) and is_listed(digest, Path(settings.BREACHED_PASSWORDS_FILE))


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
