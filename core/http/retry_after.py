"""What a server means by `Retry-After`."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER_SECONDS = 24 * 3600


def retry_after_seconds(written: str | None, now: datetime) -> int | None:
    """Return the wait that a Retry-After header asks for, in seconds from 0 to a day; None when it asks for none."""
    text = (written or "").strip()
    if text.isascii() and text.isdigit():
        # A number longer than this is past the cap anyway, and may be too long for int().
        return min(int(text[:9]) if len(text) <= 9 else MAX_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)  # what "-0000" parses to
    wait = (instant - now).total_seconds()
    return int(min(max(wait, 0), MAX_RETRY_AFTER_SECONDS))
