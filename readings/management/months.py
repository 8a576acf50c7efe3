"""Months as arguments of commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime


def month_of(text: str) -> date:
    """Return the first day of a month written like 2024-03. Raise ArgumentTypeError."""
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise ArgumentTypeError(f"{text} is no month such as 2024-03.") from error
