"""A real browser in front of a real server: Debian's chromium, driven by Playwright, headless.

Without Chromium the tests are skipped, or fail if `CI` is set. `CHROMIUM` names another executable. After each test,
console errors and requests to other hosts fail it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.factories import PASSWORD
from tests.running_system import wait_until

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# What htmx reports of a request that a newer one replaces, as when a filter changes again. Of failed requests it also
# reports `htmx:sendError` or `htmx:responseError`.
REPLACED_REQUEST = ("htmx:sendAbort", "htmx:afterRequest")
# The page's scripts run on, and the events of requests arrive.
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in one pytest-xdist worker, since each keeps a core busy."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        reason = f"{CHROMIUM} not found: install Debian's package chromium, or set CHROMIUM."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    # Playwright runs an event loop in this thread, in which Django refuses synchronous queries. Undone afterwards, as
    # other tests in the process run event loops of their own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@dataclass
class Visit:
    """A browser window with its console errors. Tests of lost connections set `expects_errors`."""

    page: Page
    site: str
    errors: list[str] = field(default_factory=list)
    expects_errors: bool = False
    _pending: set[Request] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._note_request)
        self.page.on("requestfinished", lambda request: self._pending.discard(request))
        self.page.on("requestfailed", lambda request: self._pending.discard(request))

    def open(self, path: str) -> Page:
        self.page.goto(self.site + path)
        return self.page

    def open_completely(self, path: str) -> Page:
        """Open a page and wait for what its scripts fetch and draw; "networkidle" adds half a second to each page."""
        page = self.open(path)
        wait_until(f"every request of {path} has ended", self._is_quiet, seconds=15, look_every=0.02)
        return page

    def _is_quiet(self) -> bool:
        """Return whether no request is pending, and none is made once the page has been drawn again."""
        was_pending = bool(self._pending)
        self.page.evaluate(DRAWN)
        return not was_pending and not self._pending

    def open_template(self, name: str) -> Page:
        """Open an error page as the site would send it."""
        address = f"{self.site}/{name}"
        self.page.route(address, lambda route: route.fulfill(body=render_to_string(name), content_type="text/html"))
        return self.open(f"/{name}")

    def sign_in(self, user: User) -> Page:
        """Continue a session that has just been started, and open the overview."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": self.site}])
        return self.open("/")

    def sign_in_by_form(self, user: User, password: str = PASSWORD) -> Page:
        """Sign in with the form and wait for the overview."""
        self.open("/account/sign-in")
        self.page.get_by_label("User name or customer code").fill(user.get_username())
        self.page.get_by_label("Password or API token").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(self.site + "/")
        return self.page

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def check(self) -> None:
        assert self.expects_errors or self.errors == []

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(REPLACED_REQUEST):
            self.errors.append(message.text)

    def _note_request(self, request: Request) -> None:
        self._pending.add(request)
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.netloc != urlsplit(self.site).netloc:
            self.errors.append(f"request to another host: {request.url}")


@pytest.fixture
def visit_with(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., Visit]]:
    """Open a window with options of Playwright's `new_context`: `viewport=PHONE`, `color_scheme="dark"`."""
    opened: list[tuple[BrowserContext, Visit]] = []

    def open_window(**options: Any) -> Visit:
        context = browser.new_context(**{"viewport": LAPTOP, **options})
        opened.append((context, Visit(context.new_page(), live_server.url)))
        return opened[-1][1]

    yield open_window
    for context, visit in opened:
        context.close()
        visit.check()


@pytest.fixture
def visit(visit_with: Callable[..., Visit]) -> Visit:
    """Open a laptop-sized window."""
    return visit_with()


@pytest.fixture
def phone(visit_with: Callable[..., Visit]) -> Visit:
    """Open a phone-sized window."""
    return visit_with(viewport=PHONE, has_touch=True)
