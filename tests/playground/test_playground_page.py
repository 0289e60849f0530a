"""The playground's page in a real browser. Needs Chromium; `.ci/run` installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playground_samples import CONSTITUTION, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(180),
    # Playwright's own subprocess and pipes.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
BREACH = "Rest. Then take 80 mg now. Bye."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"],
        )
        yield browser
        browser.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the page complains of, and whatever it asks of others: nothing."""
    complaints: list[str] = []
    yield complaints
    assert complaints == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "house.yaml"
    file.write_text(CONSTITUTION)
    return file


@pytest.fixture
def address(file: Path) -> Iterator[str]:
    with served(file) as address:
        yield address


Open = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, address: str, said: list[str]) -> Iterator[Open]:
    """Opens the page, in a context with these options."""
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: _note_elsewhere(asked.url, address, said))
        page.goto(address)
        page.wait_for_selector("#tests:not([hidden])")
        return page

    yield open_page
    for context in contexts:
        context.close()


def _note_elsewhere(url: str, address: str, said: list[str]) -> None:
    if not url.startswith(address):
        said.append(url)


def test_an_author_sees_critique_and_revision_while_typing(opened: Open) -> None:
    page = opened()
    page.fill("#reply", BREACH)
    card = page.wait_for_selector("article[data-stage=output]")
    assert card is not None
    assert "REVISE" in card.inner_text()
    assert page.inner_text("article mark") == "take 80 mg"
    assert page.inner_text("article ins") == "Please ask a doctor."
    page.wait_for_selector("#said:has-text('Reply: revise, 1 findings.')", state="attached")
    page.fill("#reply", "The label has the dose.")
    page.wait_for_selector("article[data-verdict=allow]")


def test_the_page_follows_the_file(opened: Open, file: Path) -> None:
    page = opened()
    page.fill("#reply", BREACH)
    page.wait_for_selector("article[data-verdict=revise]")
    file.write_text(CONSTITUTION.replace("action: revise", "acton: revise"))
    problem = page.wait_for_selector("#trouble:not([hidden]) li")
    assert problem is not None
    assert "line 8:5" in problem.inner_text()
    file.write_text(CONSTITUTION.replace("breach: [xyzzy]}}]", "breach: [bye]}}]"))
    page.wait_for_selector("article[data-verdict=block]")
    page.wait_for_selector("#tests[data-bad=true]")
    assert "the word" in page.inner_text("#advice")


def test_nothing_typed_is_ever_markup(opened: Open) -> None:
    page = opened()
    page.fill("#reply", "<img src=x onerror=alert(1)> take 80 mg <script>alert(2)</script>")
    page.wait_for_selector("article[data-verdict=revise]")
    assert page.query_selector("article img, article script") is None
    assert "<img src=x" in page.inner_text("article .text")


def test_it_can_be_used_by_keyboard_alone(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the results"
    page.keyboard.press("Tab")
    page.keyboard.type("xyzzy")
    page.wait_for_selector("article[data-stage=input][data-verdict=block]")
    page.keyboard.press("Tab")
    page.keyboard.type(BREACH)
    page.wait_for_selector("article[data-stage=output]")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert "Not judged" in page.locator(":focus").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("article details[open]")


def test_every_field_has_a_name_and_the_outcome_is_announced(opened: Open) -> None:
    page = opened()
    page.click("summary")
    for name in (
        "Prompt",
        "Reply",
        "Language of the replies",
        "Attributes, one key=value a line",
    ):
        assert page.get_by_label(name, exact=True).count() == 1, name
    assert page.get_by_role("status").count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).inner_text() == "House rules"


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance, of `rgb(r, g, b)`."""
    channels = [int(part) / 255 for part in colour[4:-1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(opened: Open, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    page.fill("#prompt", "xyzzy")
    page.fill("#reply", BREACH)
    page.wait_for_selector("article[data-stage=output] ins")
    for selector in ("body", ".quiet", "article .verdict", "mark", "del", "ins", "h3", "textarea"):
        ink = page.eval_on_selector(selector, "e => getComputedStyle(e).color")
        back = page.eval_on_selector(
            selector,
            """e => {
              for (; e; e = e.parentElement) {
                const c = getComputedStyle(e).backgroundColor;
                if (c !== "rgba(0, 0, 0, 0)") return c;
              }
              return "rgb(255, 255, 255)";
            }""",
        )
        light, dark = sorted((luminance(ink), luminance(back)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (selector, ink, back)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(opened: Open, width: int) -> None:
    page = opened(viewport={"width": width, "height": 800})
    page.fill("#prompt", "x" * 500)
    page.fill("#reply", f"{'y' * 300} take 80 mg {'z' * 300}")
    page.wait_for_selector("article[data-stage=output]")
    if folder := os.environ.get("PLAYGROUND_PICTURES"):
        page.screenshot(path=Path(folder, f"playground-{width}.png"), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
