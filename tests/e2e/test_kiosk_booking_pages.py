"""Booking at the kiosk in a real Chromium: every step at every panel and in every theme, by touch, by keyboard, and without script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from prometheus_client import CollectorRegistry

from edge.api.app import make_app
from edge.api.booking_desk import BookingState
from parking.clock import CivilScale, ScaledClock
from parking.decision import Reason
from parking.interval import Interval
from parking.lot import SpotType
from tests.e2e.served import Served
from tests.e2e.test_kiosk_pages import FAULTS, PANELS, THEMES, browser, dress, serious
from tests.unit.edge.api.scenes import DEVICES, ENTRY, NOW, SITE, STATUS, TOKENS
from tests.unit.edge.api.staged_bookings import StagedBookings
from tests.unit.edge.api.staged_desk import StagedDesk

__all__ = ["browser"]

START = int(NOW.timestamp()) // 60
STEPS = {
    "type": "",
    "start": "&type=regular",
    "length": f"&type=regular&start={START}",
    "offer": f"&type=regular&start={START}&hours=2",
}
HOME = f"/kiosk/{ENTRY.lane}"


@pytest.fixture
def till() -> StagedBookings:
    bookings = StagedBookings()
    for state in BookingState:
        view = bookings.staged(state, SpotType.REGULAR, Interval(NOW, NOW + timedelta(hours=2)))
        bookings.views[view.id] = view
    return bookings


@pytest.fixture
def page(browser: Browser, till: StagedBookings) -> Iterator[Page]:
    desk = StagedDesk({ENTRY.lane: replace(ENTRY, books=True)}, STATUS)
    scale = CivilScale(anchor_at=NOW, anchor_monotonic=1000.0, speed=1)
    clock = ScaledClock(source=lambda: 1000.0, scale=scale)
    app = make_app(desk, DEVICES, clock, SITE, CollectorRegistry(), bookings=till, beat_s=0.2)
    server = Served(app)
    server.start()
    opened = browser.new_page(
        base_url=server.url, viewport={"width": 800, "height": 480}, reduced_motion="reduce"
    )
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.goto(f"{HOME}/book?token={TOKENS['kiosk-1']}")
    yield opened
    opened.close()
    server.stop()
    assert troubles == []


def pages(till: StagedBookings, language: str) -> dict[str, str]:
    """Every page of a booking by name."""
    steps = {name: f"{HOME}/book?lang={language}{step}" for name, step in STEPS.items()}
    return steps | {name: f"{HOME}/book/{name}?lang={language}" for name in till.views}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_step_fits_every_panel_and_in_the_first_language_axe_finds_nothing_serious(
    page: Page, till: StagedBookings, language: str
) -> None:
    for name, address in pages(till, language).items():
        page.goto(address)
        page.locator("html[data-live]").wait_for()
        for width, height in PANELS:
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("fit()")
            assert page.evaluate(FAULTS) == [], f"{name} at {width}x{height}"
        page.set_viewport_size({"width": 800, "height": 480})
        for theme in THEMES if language == "en" else ():
            dress(page, theme)
            assert serious(page) == [], f"{name} in {theme}"


def test_a_person_books_by_touch_and_sees_the_code_as_soon_as_the_bank_says_yes(
    page: Page, till: StagedBookings
) -> None:
    page.goto(HOME)
    page.locator("#do-book").click()
    for choice in (1, 2, 2):
        page.locator(f"#choice-{choice}").click()
    page.locator("#do-book").click()
    expect(page.locator("h1").first).to_have_text("Hold your card or phone to the reader")
    window = Interval(NOW, NOW + timedelta(hours=2))
    sold = till.staged(BookingState.SOLD, SpotType.REGULAR, window)
    till.views["booking-paying"] = replace(sold, id="booking-paying")
    expect(page.locator(".qr")).to_be_visible()
    expect(page.locator(".word")).to_have_text("Booked")


def test_the_keyboard_alone_books(page: Page) -> None:
    page.goto(f"{HOME}/book?lang=en")
    page.locator("#choice-1").focus()
    page.keyboard.press("Space")
    page.locator("#choice-2").focus()
    page.keyboard.press("Enter")
    page.locator("#choice-1").focus()
    page.keyboard.press("Space")
    page.locator("#do-book").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".word")).to_have_text("Please pay")


def test_a_full_car_park_says_so_and_language_and_contrast_stay_with_the_choice(
    page: Page, till: StagedBookings
) -> None:
    till.refusal = Reason.FULL
    page.goto(f"{HOME}/book?lang=en{STEPS['length']}")
    expect(page.locator("h1").first).to_have_text("The car park is full")
    till.refusal = None
    page.goto(f"{HOME}/book?lang=en{STEPS['offer']}")
    page.locator("#contrast").click()
    page.locator("#language").click()
    page.locator("a[lang=de]").click()
    expect(page.locator("#do-book")).to_have_text("8,00 £ zahlen")
    assert page.evaluate("document.documentElement.dataset.theme") == "contrast"


def test_without_script_every_step_is_a_link_or_a_form(browser: Browser, page: Page) -> None:
    address = page.url
    bare = browser.new_context(java_script_enabled=False)
    plain = bare.new_page()
    plain.goto(f"{address}?token={TOKENS['kiosk-1']}")
    for _ in range(3):
        plain.locator("#choice-1").click()
    plain.locator("#do-book").click()
    expect(plain.locator(".word")).to_have_text("Please pay")
    bare.close()
