"""Take screenshots for the documentation from the running demo: `make run` in one terminal, `make pictures` in another.

Needs Debian's package chromium, or another Chromium given by CHROMIUM.
"""

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SITE = f"http://localhost:{os.environ.get('PORT', '8000')}"
USER_NAME, PASSWORD = "operator", "cold-store-demo"
WIDTH, HEIGHT = 1280, 800
LARGEST_BYTES = 200_000
ALARM_LINK = "#alarms table a"
ALARM_TIMEOUT_MS = 120_000

# Pages with a fixed URL, and pages reached by the first matching link of another page.
PAGES = {
    "overview": "/",
    "alarms": "/alarms",
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
    "alarm": ("/alarms", ALARM_LINK),
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
    """Have an alarm to show: that of a drill, where a fresh demo has none yet."""
    page.goto(f"{SITE}/alarms")
    if page.locator(ALARM_LINK).count():
        return
    subprocess.run([sys.executable, PICTURES.parent.parent / "manage.py", "drill", "A"], check=False)  # noqa: S603  own command
    page.goto(f"{SITE}/alarms")
    page.locator(ALARM_LINK).first.wait_for(timeout=ALARM_TIMEOUT_MS)


def take(page: Page, name: str) -> int:
    """Save a screenshot of the window under this name and return its size."""
    page.wait_for_load_state("networkidle")
    if page.locator("canvas").count():
        page.wait_for_function("Boolean(window.Chart && Object.keys(Chart.instances).length)")
    return len(page.screenshot(path=PICTURES / f"{name}.png"))


if __name__ == "__main__":
    sys.exit(main())
