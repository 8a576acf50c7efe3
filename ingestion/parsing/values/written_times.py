"""Rewrite times with words in them (months, AM and PM, zones) in digits, for `ingestion.parsing.values.timestamps`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, localedata

# Languages in which data loggers write the names of months and days.
_LANGUAGES = (
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sk", "sv", "da", "nb", "fi", "hu", "ro", "tr", "ru",
    "uk", "el",
)  # fmt: skip
# Abbreviations that mean the same offset everywhere. CST, BST, EST and others are used in several countries.
_ZONE_HOURS = {
    "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "CAT": 2,
    "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_BLANKS = re.compile(r"[\s\u00a0\u2007\u202f]+")
_MERIDIEM = re.compile(r"(?<=[\d ])([ap])\.? ?m\b\.?", re.I)
_REGION = re.compile(r"(?<= )[A-Za-z_]+(?:/[A-Za-z_+\-0-9]+)+$")
# By RFC 9557: a zone, and tags such as [u-ca=gregory]. "!" marks one that must not be ignored.
_SUFFIXES = re.compile(r" ?(?:\[[^\[\]]*\])+$")
_SUFFIX = re.compile(r"\[(?P<critical>!?)(?P<content>[^\[\]]*)\]")
# The calendar in which a time is to be shown; it is written in that of ISO 8601.
_CALENDAR = "u-ca="
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>[01]\d|2[0-3]):?(?P<minutes>[0-5]\d)")
_UTC_OFFSET = re.compile(r" ?\b(?:UTC|GMT) ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?(?!\d)")
_ZONE_WORD = re.compile(r"(?<![A-Za-z])(?P<word>[A-Z]{2,5})(?=$| \d{4}$)")
_WORD = re.compile(r"[^\W\d_]{2,}\.?")
_MONTH_SECOND = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[.\- ]+(?:de )?@(?P<month>\d{1,2})@[.,\- ]+(?:de )?"
    r"(?P<year>\d{4}),? ?(?P<rest>.*)"
)
_MONTH_FIRST = re.compile(
    r"@(?P<month>\d{1,2})@[.\- ]+(?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4}),? ?(?P<rest>.*)"
)
_YEAR_LAST = re.compile(r"@(?P<month>\d{1,2})@ (?P<day>\d{1,2}) (?P<rest>\d.*?) (?P<year>\d{4})")
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[.\- /]+@(?P<month>\d{1,2})@[.\- /]+(?P<day>\d{1,2})[T ,]+(?P<rest>.*)")
_END_OF_DAY = re.compile(r"(?P<before>[T ])24:00(?P<seconds>:00(?:[.,]0+)?)?")


@dataclass(frozen=True, slots=True)
class RewrittenTime:
    """A time in digits. `offset_minutes` is that of its zone, None if none is named; `region` is for `zone_named`.

    `unclear` says which zone, or what else behind the time, is not understood. `is_end_of_day`: 24:00 became 00:00, a
    day ahead.
    """

    text: str
    offset_minutes: int | None = None
    region: str = ""
    unclear: str = ""
    is_end_of_day: bool = False


def rewrite(text: str) -> RewrittenTime:
    """Rewrite a time; what is not recognised stays as it is."""
    text = plain_meridiem(text)
    text, region, unclear = _without_region(text)
    if unclear:
        return RewrittenTime(text, unclear=unclear)
    text, offset, unclear = _without_zone(text)
    text = _with_numeric_month(text)
    text, is_end_of_day = without_end_of_day(text)
    return RewrittenTime(text, offset, region, unclear, is_end_of_day)


def plain_meridiem(text: str) -> str:
    """Return a text with single blanks, and "AM" and "PM" however they were written ("a. m.", "p.m.")."""
    text = _BLANKS.sub(" ", text).strip()
    return _MERIDIEM.sub(lambda match: match[1].upper() + "M", text)


def english_names(text: str) -> str:
    """Return a text with the names of its months in English, as strptime reads them."""
    names = _names()
    return _WORD.sub(lambda match: names.english.get(names.months.get(_key(match[0]), 0), match[0]), text)


def zone_word(text: str) -> re.Match[str] | None:
    """Return the zone's abbreviation at the end of a time or before its year, if there is one."""
    matches = [each for each in _ZONE_WORD.finditer(text) if each["word"] not in ("AM", "PM")]
    return matches[-1] if matches else None


def zone_minutes(word: str) -> int | None:
    """Return the offset of a zone's abbreviation in minutes, None if it is unknown or means several zones."""
    hours = _ZONE_HOURS.get(word.upper())
    return None if hours is None else hours * 60


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of the IANA zones that are the same on every machine. To find them takes milliseconds."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def zone_named(name: str) -> tzinfo | None:
    """Return the zone of an IANA name or of an offset such as "+01:00", None if there is none."""
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
        return timezone(-offset if match["sign"] == "-" else offset)
    return ZoneInfo(name) if name in known_zones() else None


def without_end_of_day(text: str) -> tuple[str, bool]:
    """Return a text with 24:00 as 00:00, and whether it was: then the next day is meant."""
    match = _END_OF_DAY.search(text)
    if match is None or text[match.end() :].lstrip()[:1] not in ("", "Z", "z", "+", "-", "["):
        return text, False
    return f"{text[: match.start()]}{match['before']}00:00{match['seconds'] or ''}{text[match.end() :]}", True


def _without_region(text: str) -> tuple[str, str, str]:
    """Return a text without what is behind the time in brackets, or the region, and what of it is unclear."""
    regions = []
    if match := _SUFFIXES.search(text):
        for suffix in _SUFFIX.finditer(match[0]):
            content = suffix["content"]
            if "=" not in content:
                regions.append(content)
            elif suffix["critical"] and not content.startswith(_CALENDAR):
                return text, "", f"the tag {suffix[0]}"
    elif match := _REGION.search(text):
        regions.append(match[0])
    for region in regions:
        if len(regions) > 1 or zone_named(region) is None:
            return text, "", f"the zone {' '.join(regions)}"
    return text[: match.start()].strip() if match else text, "".join(regions), ""


def _without_zone(text: str) -> tuple[str, int | None, str]:
    """Return a text without its zone, the zone's offset in minutes, and what of it is unclear."""
    if match := _UTC_OFFSET.search(text):
        minutes = int(match["hours"]) * 60 + int(match["minutes"] or 0)
        if minutes > 14 * 60:
            return text, None, f"the zone {match[0].strip()}"
        rest = text[: match.start()] + text[match.end() :]
        return rest.strip(), -minutes if match["sign"] == "-" else minutes, ""
    match = zone_word(text)
    if match is None or _key(match["word"]) in _names().months:
        return text, None, ""
    offset = zone_minutes(match["word"])
    rest = _BLANKS.sub(" ", text[: match.start()] + text[match.end() :]).strip()
    return rest, offset, "" if offset is not None else f"the zone {match['word']}"


def _with_numeric_month(text: str) -> str:
    """Return "13 Mar 2026 10:00", "Mar 13, 2026 10:00" and the like as "2026-03-13 10:00"."""
    words = [
        (match, _names().months.get(_key(match[0]))) for match in _WORD.finditer(text) if match[0] not in ("AM", "PM")
    ]
    months = [(match, month) for match, month in words if month]
    if len(months) != 1:
        return text
    match, month = months[0]
    marked = f"{text[: match.start()]}@{month}@{text[match.end() :]}"
    for other, _ in words:
        if other is not match and _key(other[0]) in _names().days:
            marked = marked.replace(other[0], "", 1)
    marked = _BLANKS.sub(" ", marked.lstrip(" ,.")).strip()
    for pattern in (_MONTH_SECOND, _MONTH_FIRST, _YEAR_LAST, _YEAR_FIRST):
        if found := pattern.fullmatch(marked):
            return f"{found['year']}-{int(found['month']):02d}-{int(found['day']):02d} {found['rest']}"
    return text


def _key(word: str) -> str:
    return word.rstrip(".").casefold()


@dataclass(frozen=True, slots=True)
class _Names:
    """The numbers of months by their names, names of days, and the English abbreviations of months by their numbers."""

    months: dict[str, int]
    days: frozenset[str]
    english: dict[int, str]


@lru_cache(maxsize=1)
def _names() -> _Names:
    """Return the names in all languages; a name of different months in two languages is left out.

    What babel has loaded of each language, a MiB or more, is forgotten.
    """
    numbers: dict[str, set[int]] = {}
    days: set[str] = set()
    english = Locale("en").months["format"]["abbreviated"]
    for language in _LANGUAGES:
        locale = Locale(language)
        for names in _of_all_widths(locale.months):
            for number, name in names.items():
                numbers.setdefault(_key(name), set()).add(int(number))
        days |= {_key(name) for names in _of_all_widths(locale.days) for name in names.values()}
        localedata.clear_caches()
    numbers["sept"] = {9}
    months = {name: found.pop() for name, found in numbers.items() if len(found) == 1 and len(name) > 1}
    return _Names(months, frozenset(days), {int(number): str(name) for number, name in english.items()})


def _of_all_widths(widths: Mapping[str, Mapping[str, Mapping[int, str]]]) -> list[Mapping[int, str]]:
    return [widths[context][width] for context in ("format", "stand-alone") for width in ("abbreviated", "wide")]
