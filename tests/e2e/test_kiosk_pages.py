"""The kiosk's and the status page in a real Chromium: what a driver sees, at every panel, in every theme, with the line up and down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from edge.api.desk import LaneView, ReaderSide
from parking.clock import CivilScale, ScaledClock
from parking.lot import SpotType
from tests.e2e.served import Served
from tests.unit.edge.api.scenes import DEVICES, ENTRY, EXIT, NOW, SCREENS, SITE, STATUS, TOKENS
from tests.unit.edge.api.staged_desk import StagedDesk

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PANELS = [(800, 480), (1024, 600), (1080, 1920), (1920, 1080)]
THEMES = ["light", "dark", "contrast"]
SERIOUS = {"serious", "critical"}

# Everything that is cut off, and every target under 64 px at 800×480 (it grows with the panel), as sentences.
FAULTS = """() => {
  const faults = [];
  const seen = (e) => e.getClientRects().length > 0;
  for (const e of document.querySelectorAll("html, .top, .sig, .body, .foot, .btn, .types li, .rate li, .two > div")) {
    if (!seen(e)) continue;
    if (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 1)
      faults.push(`${e.className || e.tagName} is cut off: ${e.scrollWidth}x${e.scrollHeight} in ${e.clientWidth}x${e.clientHeight}`);
  }
  for (const e of document.querySelectorAll(".btn")) {
    const box = e.getBoundingClientRect();
    if (seen(e) && Math.min(box.width, box.height) < 63.5) faults.push(`${e.id} is ${box.width}x${box.height}`);
  }
  return faults;
}"""

PLACES = """() => ["help", "language", "contrast"].map((id) => {
  const box = document.getElementById(id).getBoundingClientRect();
  return `${id} ${Math.round(box.x)},${Math.round(box.y)}`;
}).join(" ")"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A served lot and the desk behind it."""

    server: Served
    desk: StagedDesk

    def show(self, view: LaneView) -> None:
        """Change what a lane shows, on the server's own loop."""
        self.server.loop.call_soon_threadsafe(self.desk.show, view)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    desk = StagedDesk({"lane-1": ENTRY, "lane-3": EXIT}, STATUS)
    scale = CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    clock = ScaledClock(source=lambda: 1000.0, scale=scale)
    server = Served(make_app(desk, DEVICES, clock, SITE, CollectorRegistry(), beat_s=0.2))
    server.start()
    yield Stage(server=server, desk=desk)
    server.stop()


@pytest.fixture
def page(browser: Browser, stage: Stage) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 800, "height": 480})
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.goto(f"{stage.server.url}/?token={TOKENS['staff']}")
    yield opened
    opened.close()
    assert troubles == []


def opened(page: Page, stage: Stage, name: str, language: str = "en") -> LaneView:
    view = SCREENS[name]
    stage.desk.views[view.lane] = view
    page.goto(f"{stage.server.url}/kiosk/{view.lane}?lang={language}")
    page.locator("html[data-live]").wait_for()  # the stream has spoken
    return view


def dress(page: Page, theme: str) -> None:
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)


def test_axe_finds_no_serious_fault_on_any_screen_in_any_theme(page: Page, stage: Stage) -> None:
    page.emulate_media(reduced_motion="reduce")
    for name in SCREENS:
        opened(page, stage, name)
        for theme in THEMES:
            dress(page, theme)
            assert serious(page) == [], f"{name} in {theme}"
    page.goto(stage.server.url)
    page.locator("summary").first.click()
    for theme in THEMES:
        dress(page, theme)
        assert serious(page) == [], f"status in {theme}"


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in SERIOUS]


@pytest.mark.parametrize("language", ["en", "de"])
def test_on_every_panel_nothing_is_cut_off_targets_are_large_and_the_first_three_never_move(
    page: Page, stage: Stage, language: str
) -> None:
    places: dict[tuple[int, int], set[str]] = {panel: set() for panel in PANELS}
    for name in SCREENS:
        opened(page, stage, name, language)
        for width, height in PANELS:
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("fit()")
            assert page.evaluate(FAULTS) == [], f"{name} at {width}x{height}"
            places[width, height].add(page.evaluate(PLACES))
    assert all(len(seen) == 1 for seen in places.values()), places


def test_words_that_are_two_fifths_longer_still_fit(page: Page, stage: Stage) -> None:
    lengthen = """() => {
      const walk = document.createTreeWalker(document.querySelector(".body"), NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const words = walk.currentNode.textContent.trim().split(" ");
        if (words.length > 1) walk.currentNode.textContent += " " + words.slice(0, Math.round(words.length * 0.4)).join(" ");
      }
      dispatchEvent(new Event("resize"));
    }"""
    for name in (
        "entry-idle",
        "entry-linedown",
        "entry-detected",
        "entry-refused",
        "entry-full",
        "exit-scan",
        "exit-declined",
    ):
        opened(page, stage, name)
        page.evaluate(lengthen)
        assert [fault for fault in page.evaluate(FAULTS) if fault.startswith("body")] == [], name


def test_the_screen_follows_the_lane_without_a_reload(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-idle")
    expect(page.locator("h1").first).to_have_text("Welcome. Drive up to the line.")
    stage.show(SCREENS["entry-detected"])
    expect(page.locator(".body h1")).to_have_text("Take a ticket, or show your pass")
    expect(page.locator("#say")).to_have_text("Your turn. Take a ticket, or show your pass")
    page.get_by_role("button", name="Take a ticket").click()
    expect(page.locator("#do-button")).not_to_have_attribute("aria-busy", "true")
    assert stage.desk.done == [("button", "lane-1", None)]
    stage.show(SCREENS["entry-ticket"])
    expect(page.locator(".qr")).to_be_visible()
    assert (page.locator(".qr").bounding_box() or {"width": 0})["width"] >= 200


def test_a_touch_counts_when_it_is_released_on_its_button(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-detected")
    button = page.locator("#do-button").bounding_box()
    assert button is not None
    page.mouse.move(button["x"] + 20, button["y"] + 20)
    page.mouse.down()
    page.mouse.move(20, 300)
    page.mouse.up()
    assert stage.desk.done == []
    page.mouse.move(button["x"] + 20, button["y"] + 20)
    page.mouse.down()
    assert stage.desk.done == []
    page.mouse.up()
    expect(page.locator("#do-button")).not_to_have_attribute("aria-busy", "true")
    assert stage.desk.done == [("button", "lane-1", None)]


def test_a_drop_of_rain_is_not_a_finger(browser: Browser, stage: Stage) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 800, "height": 480})
    page = context.new_page()
    stage.desk.views["lane-1"] = SCREENS["entry-detected"]
    page.goto(f"{stage.server.url}/kiosk/lane-1?token={TOKENS['kiosk-1']}")
    page.locator("html[data-live]").wait_for()
    page.locator("#language").tap()  # a tap of the driver program lasts a millisecond or two
    expect(page.locator("#languages")).to_be_hidden()
    page.locator("#do-button").tap()
    box = page.locator("#do-button").bounding_box()
    assert box is not None
    point = {"x": box["x"] + 30, "y": box["y"] + 30}
    wire = context.new_cdp_session(page)
    wire.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    page.wait_for_timeout(120)
    assert stage.desk.done == []
    with page.expect_response("**/kiosk/lane-1/button"):
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert stage.desk.done == [("button", "lane-1", None)]
    context.close()


def test_the_focus_can_be_seen_and_survives_a_change_of_the_screen(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-detected")
    page.keyboard.press("Tab")
    expect(page.locator("#do-button")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    stage.show(replace(SCREENS["entry-detected"], plate="BX71 KLM", reader_side=ReaderSide.LEFT))
    expect(page.locator(".arrow.left")).to_be_visible()
    expect(page.locator("#do-button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#do-button")).not_to_have_attribute("aria-busy", "true")
    assert stage.desk.done == [("button", "lane-1", None)]


def test_a_driver_chooses_the_language_and_keeps_it(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-idle")
    page.locator("#language").click()
    expect(page.get_by_role("heading", name="Choose your language")).to_be_visible()
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator(".body h1")).to_have_text("Willkommen. Fahren Sie bis zur Linie.")
    stage.show(SCREENS["entry-full"])
    expect(page.locator(".body h1")).to_have_text("Besetzt bis etwa 14:25")
    assert page.locator("html").get_attribute("lang") == "de"


def test_contrast_is_one_press_away_and_stays(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-idle")
    page.locator("#contrast").click()
    stage.show(SCREENS["entry-detected"])
    expect(page.locator(".body h1")).to_have_text("Take a ticket, or show your pass")
    assert page.locator("html").get_attribute("data-theme") == "contrast"


def test_the_next_driver_finds_the_first_language_and_theme(browser: Browser, stage: Stage) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 480})
    page.clock.install()
    page.goto(f"{stage.server.url}/kiosk/lane-1?token={TOKENS['kiosk-1']}")
    page.locator("#language").click()
    page.get_by_role("link", name="Deutsch").click()
    page.locator("#contrast").click()
    expect(page.locator(".body h1")).to_have_text("Willkommen. Fahren Sie bis zur Linie.")
    page.clock.fast_forward(62_000)
    expect(page.locator(".body h1")).to_have_text("Welcome. Drive up to the line.")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.close()


def test_a_screen_that_lost_its_line_keeps_its_content_says_its_age_and_then_what_to_do(
    browser: Browser, stage: Stage
) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 480})
    page.clock.install()
    page.goto(f"{stage.server.url}/kiosk/lane-1?token={TOKENS['kiosk-1']}")
    page.locator("html[data-live]").wait_for()
    stage.server.stop()
    page.clock.run_for(8_000)
    expect(page.locator("#late")).to_have_text("as of 14:05")
    expect(page.locator(".big")).to_have_text("214")
    expect(page.locator("#lost")).to_be_hidden()
    page.clock.run_for(15_000)
    expect(page.locator("#lost")).to_be_visible()
    expect(page.locator("#lost")).to_contain_text("0121 496 0112")
    page.close()


def test_a_screen_comes_back_by_itself_when_the_stream_was_cut(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-idle")
    page.evaluate("stream.close(); listen()")
    stage.show(SCREENS["entry-closed"])
    expect(page.locator(".body h1")).to_have_text("Open from tomorrow at 06:00")


def test_the_kiosk_works_without_script(browser: Browser, stage: Stage) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 800, "height": 480})
    page = context.new_page()
    stage.desk.views["lane-1"] = SCREENS["entry-choose"]
    page.goto(f"{stage.server.url}/kiosk/lane-1?token={TOKENS['kiosk-1']}")
    page.get_by_role("button", name="electric").click()
    page.get_by_role("button", name="Language").click()
    page.get_by_role("link", name="Deutsch").click()
    expect(page.get_by_role("heading", name="Welchen Platz brauchen Sie?")).to_be_visible()
    assert stage.desk.done == [("button", "lane-1", SpotType.EV)]
    context.close()


def test_the_status_page_follows_the_box_and_leaves_a_person_who_types_alone(
    page: Page, stage: Stage
) -> None:
    expect(page.locator("h1")).to_have_text("The car park works")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("summary").first.click()
    page.get_by_label("Your name").first.fill("Amina Sheikh")
    stage.desk.status_view = replace(STATUS, faults=())
    page.get_by_label("Why").first.fill("card stuck")
    expect(page.locator(".fix")).to_be_visible()
    page.get_by_role("button", name="Open lane-1").click()
    expect(page.locator(".note")).to_contain_text("on record")
    assert stage.desk.done == [("open", "lane-1", "Amina Sheikh", "card stuck")]
    expect(page.locator(".fix")).to_have_count(0)


def test_a_page_is_left_and_its_stream_ends(page: Page, stage: Stage) -> None:
    opened(page, stage, "entry-idle")
    page.goto("about:blank")

    async def tidy() -> int:
        for _ in range(100):
            waiting = [task for task in asyncio.all_tasks() if "_next" in repr(task)]
            if not waiting:
                return 0
            await asyncio.sleep(0.05)
        return len(waiting)

    assert asyncio.run_coroutine_threadsafe(tidy(), stage.server.loop).result(10) == 0
