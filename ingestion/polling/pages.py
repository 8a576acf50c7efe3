"""Find the next page of a response: by a link, a cursor, a page number or an offset."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import IO
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec
from django.conf import settings

from ingestion.parsing.body.decoded import ByteStream
from ingestion.parsing.fields.names import ROW_LISTS
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.json.walker import InvalidJson, JsonItem, JsonWalker
from ingestion.parsing.limits import check_row_count
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody
from ingestion.polling.fetch import FetchedBody

# A source with more pages is asked for shorter periods.
MAX_PAGES = 200
# A larger body is not decoded at once, and a longer member does not describe a page.
_MAX_DECODED_BYTES = 4 << 20
_MAX_MEMBER_BYTES = 1 << 18
_WINDOW_BYTES = 1 << 14
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[\w*]+\s*=\s*(?:\"[^\"]*\"|[^\s;,\"]+))*)")
_REL_NEXT = re.compile(r"rel\s*=\s*\"?(?:[^\"]*\s)?next(?:\s[^\"]*)?\"?(?:\s*;|\s*$)", re.IGNORECASE)
_NAME = re.compile(rb'"([^"\\]{1,40})"\s*:')
# Objects around the rows that describe the page.
_PAGE_OBJECTS = ("meta", "metadata", "pagination", "paging", "links", "page_info", "response_metadata", "info")
_NEXT_URLS = ("next", "next_url", "next_page_url", "next_link", "next_href", "odata_next_link", "next_page")
# The query parameter for each of these members.
_CURSORS = {
    "next_cursor": "cursor",
    "next_page_token": "page_token",
    "next_token": "token",
    "continuation_token": "continuation_token",
    "end_cursor": "after",
    "cursor": "cursor",
}
_HAS_MORE = ("has_more", "has_next", "has_next_page", "more", "more_available")
_PAGE_COUNTS = ("total_pages", "page_count", "pages", "num_pages")
_LAST_PAGE = "last_page"
_TOTALS = ("total", "total_count", "count_total", "total_results")
_NAMES_OF_PAGES = frozenset(
    (
        *_PAGE_OBJECTS,
        *_NEXT_URLS,
        *_CURSORS,
        *_HAS_MORE,
        *_PAGE_COUNTS,
        _LAST_PAGE,
        *_TOTALS,
        "page",
        "current_page",
        "page_number",
        "offset",
        "limit",
        "page_size",
    )
)


@dataclass(frozen=True, slots=True)
class NextPage:
    """The URL of the next page; with `problem` set, why the further pages cannot be requested.

    `is_from_zero`: the pages are numbered from 0, as the first one tells.
    """

    url: str = ""
    problem: str = ""
    is_from_zero: bool = False


def next_page(fetched: FetchedBody, url: str, *, is_from_zero: bool = False) -> NextPage | None:
    """Return the page after the response to `url`, None if it is the last one. `is_from_zero` as of the page before."""
    try:
        return _next_page(fetched, url, is_from_zero=is_from_zero)
    except ValueError:  # of urllib.parse
        return NextPage(problem="the address of its next page is invalid")


def _next_page(fetched: FetchedBody, url: str, *, is_from_zero: bool) -> NextPage | None:
    target = _link_target(fetched.headers.get("link", ""))
    if target is None:
        members = _members(fetched)
        if not members:
            return None
        found = _of_members(members, url, is_from_zero=is_from_zero)
    else:
        found = NextPage(urljoin(url, target))
    if found and found.url and _origin(found.url) != _origin(url):
        return NextPage(problem="its next page is on another server, to which no credentials are sent")
    return found


def _link_target(header: str) -> str | None:
    for target, parameters in _LINK.findall(header):
        if _REL_NEXT.search(parameters):
            return str(target)
    return None


def _members(fetched: FetchedBody) -> dict[str, object]:
    """Return the members of the object around the rows and of those that describe the page, by canonical names."""
    names = _names_of_pages(fetched)
    if not names:
        return {}
    try:
        own = _decoded_members(fetched, names)
        own = _walked_members(fetched.body, names) if own is None else own
    except (RecursionError, InvalidJson, UnreadableBody):
        return {}  # invalid JSON is found when it is parsed
    finally:
        fetched.body.seek(0)
    members: dict[str, object] = {}
    for name in _PAGE_OBJECTS:
        if isinstance(described := own.get(name), dict):
            members |= {canonical(key): value for key, value in described.items()}
    return members | {name: value for name, value in own.items() if _is_of_page(name, value)}


def _names_of_pages(fetched: FetchedBody) -> set[str]:
    """Return the names at the beginning or the end of a JSON object that describe pages: decoding all would be slow."""
    fetched.body.seek(0)
    start = fetched.body.read(_WINDOW_BYTES)
    fetched.body.seek(max(fetched.size_bytes - _WINDOW_BYTES, 0))
    end = fetched.body.read(_WINDOW_BYTES)
    fetched.body.seek(0)
    if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return set()
    found = {name.decode("utf-8", "replace") for name in _NAME.findall(start) + _NAME.findall(end)}
    return {name for name in found if canonical(name) in _NAMES_OF_PAGES}


def _decoded_members(fetched: FetchedBody, names: Set[str]) -> dict[str, object] | None:
    """Return the named members of an object by canonical names; the others, however many, take no memory.

    None if it is large, or is not what msgspec takes for JSON: in another encoding, or with a lone surrogate, say.
    """
    if fetched.size_bytes > _MAX_DECODED_BYTES:
        return None
    try:
        return _members_of(fetched.body.read(), names)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    finally:
        fetched.body.seek(0)


def _members_of(data: bytes, names: Set[str]) -> dict[str, object]:
    by_field = {f"member_{index}": name for index, name in enumerate(sorted(names))}
    envelope = msgspec.defstruct(
        "Envelope",
        [(field, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for field in by_field],
        rename=by_field,
    )
    around = msgspec.json.decode(data, type=envelope)
    found = {canonical(name): getattr(around, field) for field, name in by_field.items()}
    return {
        name: msgspec.json.decode(raw)
        for name, raw in found.items()
        if isinstance(raw, msgspec.Raw) and len(bytes(raw)) <= _MAX_MEMBER_BYTES
    }


def _walked_members(body: IO[bytes], names: Set[str]) -> dict[str, object]:
    """Return the same of any object, through a window. Raise InvalidJson or UnreadableBody."""
    walker = JsonWalker(
        ByteStream(body, settings.SOURCE_MAX_BYTES),
        path="",
        list_names=ROW_LISTS,
        is_row=lambda _: False,
        decode_block=_passed_over,
    )
    rows = 0
    try:
        for row in walker.rows():
            rows += 1 if isinstance(row, JsonItem) else row.rows
            check_row_count(rows, settings.SOURCE_MAX_ROWS)
    except UnreadableBody as error:
        if error.reason is not Reason.NO_READINGS_LIST:
            raise
    return {canonical(name): value for name, value in walker.members.items() if name in names}


class _AnyRow(msgspec.Struct, gc=False):
    """A row of which nothing is kept."""


_rows_decoder = msgspec.json.Decoder(list[_AnyRow])


def _passed_over(block: str) -> int | None:
    """Return the number of rows in a block, None if they have to be decoded one by one."""
    try:
        return len(_rows_decoder.decode(f"[{block}]")) or None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _is_of_page(name: str, value: object) -> bool:
    return not isinstance(value, list) and (name in _NEXT_URLS or not isinstance(value, dict))


def _of_members(members: Mapping[str, object], url: str, *, is_from_zero: bool) -> NextPage | None:
    has_more = next((members[name] for name in _HAS_MORE if isinstance(members.get(name), bool)), None)
    if has_more is False:
        return None
    for name in _NEXT_URLS:
        value = members.get(name)
        link = value.get("href") if isinstance(value, Mapping) else value
        if isinstance(link, str) and link:
            is_url = link.startswith(("http://", "https://", "/", "?")) or "=" in link
            return NextPage(urljoin(url, link)) if is_url else NextPage(_with_query(url, name="cursor", value=link))
    for name, parameter in _CURSORS.items():
        value = members.get(name)
        is_next = name != "cursor" or has_more is True
        if is_next and isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return NextPage(_with_query(url, name=parameter, value=str(value)))
    return _by_number(members, url, has_more=has_more is True, is_from_zero=is_from_zero)


def _by_number(members: Mapping[str, object], url: str, *, has_more: bool, is_from_zero: bool) -> NextPage | None:
    """Return the next page of numbered pages, or by an offset."""
    page = _whole(members, "page", "current_page", "page_number")
    is_from_zero |= page == 0
    count, last = _whole(members, *_PAGE_COUNTS), _whole(members, _LAST_PAGE)
    if count is not None:
        last = count - 1 if is_from_zero else count
    if page is not None and (has_more or (last is not None and page < last)):
        return NextPage(_with_query(url, name="page", value=str(page + 1)), is_from_zero=is_from_zero)
    offset, limit, total = _whole(members, "offset"), _whole(members, "limit", "page_size"), _whole(members, *_TOTALS)
    if offset is not None and limit and (has_more or (total is not None and offset + limit < total)):
        return NextPage(_with_query(url, name="offset", value=str(offset + limit)))
    if has_more:
        return NextPage(problem="it has more pages, but does not say how to request them")
    return None


def _whole(members: Mapping[str, object], *names: str) -> int | None:
    found = (members.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and not isinstance(value, bool)), None)


def _with_query(url: str, *, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
