from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import segno

from edge.api.desk import LaneView, LinkState, Screen, TypeCount
from edge.api.pages.daylight import is_dark, sun_elevation_deg
from edge.api.pages.qr import MASK, qr_svg
from edge.api.pages.renderer import STATIC, TEMPLATES, Renderer
from edge.api.pages.wording import load_languages
from parking.decision import Reason
from parking.lot import LaneKind, SpotType
from tests.unit.edge.api.conftest import Caller
from tests.unit.edge.api.scenes import ENTRY, NOW, PAYMENT, PRICE, SCREENS, SITE, STAY, TICKET
from tests.unit.edge.api.staged_desk import StagedDesk

LANGUAGES = load_languages()
RENDERER = Renderer(LANGUAGES, SITE)
EN, DE = LANGUAGES["en"], LANGUAGES["de"]
RICH = replace(
    ENTRY, ticket=TICKET, stay=STAY, price=PRICE, payment=PAYMENT, reason=Reason.FULL, until_at=NOW, types=tuple(SpotType), plate="BX71", called_at=NOW
)  # fmt: skip
BARE = replace(ENTRY, counts=(), price_hint=None, link=LinkState.NONE)


@pytest.mark.parametrize(("screen", "kind"), list(product(Screen, LaneKind)))
@pytest.mark.parametrize("view", [RICH, BARE], ids=["rich", "bare"])
def test_every_screen_of_every_lane_can_be_shown_in_every_language(
    screen: Screen, kind: LaneKind, view: LaneView
) -> None:
    for language in LANGUAGES.values():
        parts = RENDERER.parts(replace(view, screen=screen, kind=kind), language)
        assert "<h1" in parts["main"]
        assert "{" not in re.sub(r"<svg.*?</svg>", "", parts["main"], flags=re.DOTALL)


def test_a_language_that_lacks_a_text_is_named_at_start(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text('name = "English"\n[bar]\nhelp = "Help"\n[reason]\nfull = "Full."\n')
    (tmp_path / "fr.toml").write_text('name = "Français"\n')
    with pytest.raises(ValueError, match=r"words/fr.toml lacks bar\.help$"):
        load_languages(tmp_path)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_said_in_every_language(reason: Reason) -> None:
    assert EN.reason(reason) == reason.sentence
    assert DE.reason(reason) != reason.sentence
    for screen in (Screen.REFUSED, Screen.DRIVE, Screen.CLOSED):
        assert "<h1" in RENDERER.parts(replace(ENTRY, screen=screen, reason=reason), DE)["main"]


def test_a_driver_whose_ticket_is_not_on_paper_is_told_that_the_code_is_all_there_is() -> None:
    printed = replace(ENTRY, screen=Screen.TICKET, ticket=TICKET)
    not_printed = replace(printed, ticket=replace(TICKET, printed=False))
    assert "Take the ticket" in RENDERER.parts(printed, EN)["main"]
    assert "No paper ticket" in RENDERER.parts(not_printed, EN)["main"]
    assert "Kein Papierticket" in RENDERER.parts(not_printed, DE)["main"]


def test_the_button_that_pays_carries_the_amount() -> None:
    main = RENDERER.parts(SCREENS["exit-price"], EN)["main"]
    assert re.search(r'id="do-pay">.*Pay £12\.00', main)


def test_a_screen_has_at_most_one_yellow_button_and_none_while_the_person_need_do_nothing() -> None:
    for view in SCREENS.values():
        main = RENDERER.parts(view, EN)["main"]
        if view.screen is not Screen.CHOOSE:
            assert main.count("btn main") <= 1
        if view.screen in {Screen.IDLE, Screen.OPENING, Screen.DRIVE, Screen.CHECKING, Screen.HELP}:
            assert "btn main" not in main


def test_what_a_camera_read_cannot_become_markup() -> None:
    main = RENDERER.parts(replace(ENTRY, screen=Screen.CHECKING, plate="<b>&"), EN)["main"]
    assert "&lt;b&gt;&amp;" in main


def test_types_stand_in_one_order_and_those_the_lot_does_not_have_are_not_named() -> None:
    none = TypeCount(type=SpotType.COMPACT, sellable=0, total=0)
    main = RENDERER.parts(replace(ENTRY, counts=(none, *reversed(ENTRY.counts))), EN)["main"]
    assert re.findall(r"<span>(\w+)</span></li>", main) == ["regular", "electric", "accessible", "motorcycle"]


def test_the_line_down_is_no_reason_to_frighten_a_driver() -> None:
    main = RENDERER.parts(SCREENS["entry-linedown"], EN)["main"]
    assert "Parking works as usual." in main
    assert "214" in main


def test_a_qr_code_is_the_one_segno_draws_inside_four_light_modules() -> None:
    expected = [
        list(row)
        for row in segno.make(TICKET.text, error="m", micro=False, boost_error=False, mask=MASK).matrix_iter(
            border=4
        )
    ]
    svg = str(qr_svg(TICKET.text, "ticket"))
    drawn = [[0] * len(expected) for _ in expected]
    for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1", svg):
        drawn[int(y)][int(x) : int(x) + int(run)] = [1] * int(run)
    assert drawn == expected
    assert f'viewBox="0 0 {len(expected)} {len(expected)}"' in svg


@pytest.mark.parametrize("text", ["", "A" * 1025])
def test_a_qr_code_of_nothing_or_of_too_much_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 1024"):
        qr_svg(text, "x")


@pytest.mark.parametrize(
    ("minor", "currency", "en", "de"),
    [
        (120_450, "GBP", "£1,204.50", "1.204,50\xa0£"),
        (0, "EUR", "€0.00", "0,00\xa0€"),
        (1234, "JPY", "¥1,234", "1.234\xa0¥"),
        (1200, "CHF", "CHF\xa012.00", "12,00\xa0CHF"),
        (-833, "GBP", "−£8.33", "−8,33\xa0£"),
        (12_345, "BHD", "BHD\xa012.345", "12,345\xa0BHD"),
    ],
)
def test_money_is_written_as_the_readers_language_writes_it(
    minor: int, currency: str, en: str, de: str
) -> None:
    assert EN.money(minor, currency) == en
    assert DE.money(minor, currency).replace(" ", "\xa0") == de


def test_times_are_civil_and_the_night_the_clock_changes_names_its_zone() -> None:
    london = ZoneInfo("Europe/London")
    assert EN.clock(datetime(2026, 7, 1, 12, tzinfo=UTC), london) == "13:00"
    assert EN.clock(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), london) == "01:30\xa0BST"
    assert EN.clock(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), london) == "01:30\xa0GMT"
    assert EN.moment(NOW + timedelta(days=1), NOW, london) == "tomorrow at 14:05"
    assert DE.moment(NOW - timedelta(days=2), NOW, london) == "So 22. Nov. um 14:05"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=40), "40 s"),
        (timedelta(hours=2, minutes=23), "2 h 23 min"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=2, hours=6, minutes=5), "2 d 6 h"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(length: timedelta, words: str) -> None:
    assert EN.duration(length) == words


@pytest.mark.parametrize(
    ("latitude", "day", "noon_deg"), [(52.48, (6, 21), 60.96), (52.48, (12, 21), 14.08), (0.0, (3, 20), 90.0)]
)
def test_the_sun_at_noon_stands_where_latitude_and_season_put_it(
    latitude: float, day: tuple[int, int], noon_deg: float
) -> None:
    through = [
        sun_elevation_deg(latitude, 0.0, datetime(2026, *day, 11, tzinfo=UTC) + timedelta(minutes=m))
        for m in range(120)
    ]
    assert max(through) == pytest.approx(noon_deg, abs=0.5)


def test_screens_go_dark_when_the_sun_is_down() -> None:
    assert not is_dark(SITE.latitude, SITE.longitude, NOW)
    assert is_dark(SITE.latitude, SITE.longitude, NOW.replace(hour=17))
    assert RENDERER.parts(replace(ENTRY, at=NOW.replace(hour=22)), EN)["theme"] == "dark"


def test_no_page_names_another_host() -> None:
    files = [path for folder in (STATIC, TEMPLATES) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        words = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"(https?:)?//[a-z]", re.sub(r"^\s*//.*$|; // .*$", "", words, flags=re.MULTILINE)
        ), path


async def test_pages_forbid_everything_from_elsewhere(caller: Caller) -> None:
    async with caller("staff") as client:
        for path in ("/", "/kiosk/lane-1", "/static/kiosk.js"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "style=" not in answer.text


async def test_the_forms_of_a_kiosk_work_without_script(caller: Caller, desk: StagedDesk) -> None:
    desk.show(SCREENS["entry-choose"])
    async with caller("kiosk-1") as client:
        answer = await client.post("/kiosk/lane-1/button", content="spot_type=ev")
        assert (answer.status_code, answer.headers["location"]) == (303, "/kiosk/lane-1")
        assert (await client.post("/kiosk/lane-1/dance")).status_code == 404
        assert "Choose your language" in (await client.get("/kiosk/lane-1?languages=1")).text
        assert 'lang="de"' in (await client.get("/kiosk/lane-1?lang=de")).text
        assert 'data-theme="contrast"' in (await client.get("/kiosk/lane-1?contrast=1")).text
    assert desk.done == [("button", "lane-1", SpotType.EV)]
