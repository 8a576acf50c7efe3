"""What axe finds on a page: violations of rules for accessible pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.browser.conftest import Visit

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
LOOK = """async ([excluded, rules]) => {
    const found = await axe.run({ exclude: excluded }, { resultTypes: ["violations"], ...rules });
    return found.violations
        .filter((each) => ["serious", "critical"].includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
COLOURS: tuple[Literal["light", "dark"], ...] = ("dark", "light")
COLOURS_PREFERRED = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
# The site's script chooses the colours; pages without it have no theme. During a transition axe would measure a colour
# that lies between the two.
TAKE_COLOURS = """async (colours) => {
    const root = document.documentElement, deadline = performance.now() + 15_000;
    while (![colours, undefined].includes(root.dataset.bsTheme)) {
        if (performance.now() > deadline) throw new Error(`The page does not take ${colours} colours.`);
        await new Promise(requestAnimationFrame);
    }
    document.getAnimations().forEach((each) => each.finish());
}"""


def load_axe(visit: Visit) -> None:
    """Have each page of the window load axe, which takes half as long as sending it to each."""
    visit.page.add_init_script(AXE)


def violations(page: Page, excluded: Sequence[str] = ()) -> list[str]:
    """Return what axe finds on a page that has loaded it, in dark and in light colours.

    In the second colours only what they can change is examined. `excluded`: selectors of what is not examined.
    """
    found = []
    rules: dict[str, object] = {}
    for colours in COLOURS:
        page.emulate_media(color_scheme=colours)
        assert page.evaluate(COLOURS_PREFERRED) == colours
        page.evaluate(TAKE_COLOURS, colours)
        found += [f"{colours}: {each}" for each in page.evaluate(LOOK, [list(excluded), rules])]
        rules = {"runOnly": COLOUR_RULES}
    return found
