"""Takes the documentation's pictures from the running demo: `make run` in one terminal, `make pictures` in another.

Needs Debian's chromium, or another one named by CHROMIUM.
"""

import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SITE = f"http://localhost:{os.environ.get('PORT', '8000')}"
USER_NAME, PASSWORD = "operator", "cold-store-demo"
WIDTH, HEIGHT = 1280, 800


def main() -> int:
    if not Path(CHROMIUM).exists():
        sys.stderr.write(f"There is no {CHROMIUM}: install Debian's package chromium, or set CHROMIUM.\n")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, bypass_csp=True)
        sign_in(page)
        take(page, "overview")
        page.locator("main a[href*='/units/']").first.click()
        page.wait_for_function("Boolean(window.Chart && Object.keys(Chart.instances).length)")
        take(page, "unit")
        browser.close()
    return 0


def sign_in(page: Page) -> None:
    page.goto(f"{SITE}/")
    page.get_by_label("User name or customer code").fill(USER_NAME)
    page.get_by_label("Password or API token").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{SITE}/")


def take(page: Page, name: str) -> None:
    """Save what the page shows in the window as a picture of this name."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
