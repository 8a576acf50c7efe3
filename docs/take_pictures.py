"""Take screenshots for the documentation from the running demo: `make run` in one terminal, `make pictures` in another.

Needs Debian's package chromium, or another Chromium given by CHROMIUM. A demo without an alarm gets one first: a door
is left open in one of its cold stores, which takes some ten minutes to raise the alarm.
"""

import os
import sys
import time
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SITE = f"http://localhost:{os.environ.get('PORT', '8000')}"
USER_NAME, PASSWORD = "operator", "cold-store-demo"
WIDTH, HEIGHT = 1280, 800
LARGEST_BYTES = 200_000
SIMULATOR = f"http://localhost:{os.environ.get('SIMULATOR_PORT', '8001')}"
# Of those that are open: pending ones are in a section of their own.
ALARM_LINK = "section[aria-label='Alarms'] table a[href*='/alarms/']"
OPEN_DOOR = "/simulate/fault/unit_A_1_1"
OPEN_MINUTES = 90
ALARM_SECONDS, LOOK_EVERY_SECONDS = 1_800, 15

# Pages with a fixed URL, and pages reached by the first matching link of another page.
PAGES = {
    "overview": "/",
    "alarms": "/alarms?drills=hidden",
    "facilities": "/facilities",
    "trends": "/analytics?interval=hour",
    "side-by-side": "/analytics/side-by-side?days=1",
    "deviation": "/analytics/deviation?interval=hour",
    "quality": "/analytics/quality?interval=hour",
    "sources": "/sources",
    "settings": "/settings",
    "admin": "/admin/",
}
LINKED_PAGES = {
    "facility": ("/facilities", "main a[href*='/facilities/']"),
    "unit": ("/", "main a[href*='/units/']"),
    "alarm": ("/alarms?drills=hidden", ALARM_LINK),
    "source": ("/sources", "#sources table a"),
    "tokens": ("/settings", "main a[href$='/tokens']"),
    "people": ("/settings", "main a[href$='/people']"),
    "units": ("/settings", "main a[href$='/units']"),
}


def main() -> int:
    """Take every picture and return the exit code."""
    if not Path(CHROMIUM).exists():
        sys.stderr.write(f"{CHROMIUM} not found: install Debian's package chromium, or set CHROMIUM.\n")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", bypass_csp=True)
        page.goto(f"{SITE}/account/sign-in")
        sizes = {"sign-in": take(page, "sign-in")}
        sign_in(page)
        ensure_alarm(page)
        for name, address in PAGES.items():
            page.goto(SITE + address)
            sizes[name] = take(page, name)
        for name, (address, link) in LINKED_PAGES.items():
            page.goto(SITE + address)
            # Not by a click: a live refresh may replace the link in between.
            page.goto(SITE + str(page.locator(link).first.get_attribute("href")))
            sizes[name] = take(page, name)
        browser.close()
    too_large = [name for name, size in sizes.items() if size > LARGEST_BYTES]
    if too_large:
        sys.stderr.write(f"Larger than {LARGEST_BYTES:,} bytes: {', '.join(too_large)}.\n")
    return 1 if too_large else 0


def sign_in(page: Page) -> None:
    """Sign in as the demo's operator."""
    page.get_by_label("User name or customer code").fill(USER_NAME)
    page.get_by_label("Password or API token").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{SITE}/")


def ensure_alarm(page: Page) -> None:
    """Have an alarm to show that is no drill: leave a door open where a demo has none, and wait for the alarm."""
    if has_alarm(page):
        return
    fault = {"kind": "door_open", "duration_minutes": OPEN_MINUTES}
    requests.post(f"{SIMULATOR}{OPEN_DOOR}", json=fault, timeout=30).raise_for_status()
    sys.stdout.write("The demo has no alarm yet. A door was left open; waiting for its alarm, some ten minutes.\n")
    ends_at = time.monotonic() + ALARM_SECONDS
    while not has_alarm(page):
        if time.monotonic() > ends_at:
            raise TimeoutError(f"No alarm within {ALARM_SECONDS // 60} minutes. Do the demo's workers run?")
        time.sleep(LOOK_EVERY_SECONDS)


def has_alarm(page: Page) -> bool:
    """Return whether the alarms page lists an alarm that is no drill."""
    page.goto(SITE + PAGES["alarms"])
    return page.locator(ALARM_LINK).count() > 0


def take(page: Page, name: str) -> int:
    """Save a screenshot of the window under this name and return its size."""
    page.wait_for_load_state("networkidle")
    if page.locator("canvas").count():
        page.wait_for_function("Boolean(window.Chart && Object.keys(Chart.instances).length)")
    return len(page.screenshot(path=PICTURES / f"{name}.png"))


if __name__ == "__main__":
    sys.exit(main())
