"""The staff console in a real Chromium: what it shows, live, on a phone and a desk, in every theme, by keyboard and without script."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from simulators.database import DatabaseCluster
from tests.e2e.staged_cloud import BEING_DECIDED, IN_DOUBT, LANES, ServedCloud, served_cloud
from tests.integration.cloud.conftest import LOT, STAFF, claim

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
SIZES = {"desk": (1440, 1060), "phone": (390, 844)}
THEMES = ("light", "dark", "contrast")
LOT_PATH = f"/console/lots/{LOT}"
PATHS = {
    "overview": "/console",
    "lot": LOT_PATH,
    "table": f"{LOT_PATH}?view=table&level=1",
    "lots": "/console/lots",
    "gateways": "/console/gateways",
}
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def cloud(
    database_cluster: DatabaseCluster, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedCloud]:
    url = database_cluster.create_database("console", template=database_template)
    with served_cloud(url, tmp_path_factory.mktemp("console")) as served:
        yield served
    database_cluster.drop_database("console")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


def signed_in(browser: Browser, cloud: ServedCloud, size: str = "desk", **options: bool) -> BrowserContext:
    _speak(cloud)
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)  # type: ignore[arg-type]  # only flags are given
    page = context.new_page()
    page.goto(f"{cloud.url}/console?token={STAFF}")
    page.close()
    return context


@pytest.fixture
def page(browser: Browser, cloud: ServedCloud) -> Iterator[Page]:
    context = signed_in(browser, cloud)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off_in_any_theme(
    browser: Browser, cloud: ServedCloud, name: str, size: str
) -> None:
    context = signed_in(browser, cloud, size)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(cloud.url + PATHS[name])
    for theme in THEMES:
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found = [
            f"{theme}: {violation['id']} at {[node['target'] for node in violation['nodes']][:3]}"
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in SERIOUS
        ]
        assert found == []
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], f"{name} is {width[0]} px wide on {width[1]}"
    assert complaints == []
    context.close()


def test_what_needs_a_person_comes_first_and_someone_at_a_lane_before_all(
    page: Page, cloud: ServedCloud
) -> None:
    page.goto(f"{cloud.url}/console")
    expect(page.get_by_role("heading", name="things need a person")).to_be_visible()
    first = page.locator(".todo li").first
    expect(first).to_contain_text("exit 2: arm stuck")
    expect(page.locator(".todo li").nth(1)).to_contain_text("Station Garage: line down")
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Market Square")
    expect(page.locator("#lanes li")).to_have_count(len(LANES))


def test_a_booking_in_doubt_is_shown_with_its_age_as_a_doubt_and_not_as_an_error(
    page: Page, cloud: ServedCloud
) -> None:
    page.goto(f"{cloud.url}/console")
    task = page.locator(".todo li", has_text="1 booking is in doubt")
    expect(task).to_contain_text("14 min")
    task.get_by_role("link").click()
    rows = page.locator("[data-part=doubts] tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(str(IN_DOUBT)[:8])
    expect(rows.first).to_contain_text("In doubt at the lot")
    expect(rows.first).to_contain_text("Decided here: booked.")
    expect(rows.first).to_contain_text("14 min")
    expect(rows.nth(1)).to_contain_text(str(BEING_DECIDED)[:8])
    expect(rows.nth(1)).to_contain_text("Being decided")
    expect(page.locator("[data-part=doubts] .is-stop")).to_have_count(0)


def test_metrics_tell_bookings_by_state_with_the_age_of_the_oldest(page: Page, cloud: ServedCloud) -> None:
    text = page.request.get(f"{cloud.url}/metrics").text()
    told = {
        name: float(value)
        for line in text.splitlines()
        if line.startswith("parking_transactions")
        for name, _, value in [line.rpartition(" ")]
    }
    assert told['parking_transactions{state="untold"}'] == 1
    assert told['parking_transactions{state="preparing"}'] == 1
    assert told['parking_transactions{state="draft"}'] == 0
    assert 14 * 60 <= told['parking_transactions_oldest_seconds{state="untold"}'] < 60 * 60
    assert told['parking_transactions_oldest_seconds{state="draft"}'] == 0


def test_a_sale_at_the_lot_reaches_an_open_page_within_the_second_and_leaves_the_focus_alone(
    page: Page, cloud: ServedCloud
) -> None:
    page.goto(cloud.url + LOT_PATH)
    free = page.locator("[data-part=occupancy] dd").first
    before = int(free.locator("b").inner_text())
    page.wait_for_timeout(700)  # the stream's first picture
    page.get_by_role("link", name="as a table").focus()
    assert cloud.busy is not None
    taken = {row["spot_id"] for row in _rows(cloud, "SELECT spot_id::text FROM claims WHERE state = 'firm'")}
    spot = next(spot for spot in cloud.busy.lot.spots if spot.id not in taken)
    cloud.busy.log.claim(claim(spot.number, type_=spot.type, ends=None))
    first = len(cloud.busy.log.rows)
    asyncio.run_coroutine_threadsafe(cloud.busy.flush(first), cloud.loop).result(10)
    expect(free.locator("b")).to_have_text(str(before - 1), timeout=1_500)
    expect(page.get_by_role("link", name="as a table")).to_be_focused()


def test_a_lane_is_opened_by_keyboard_alone_and_what_is_typed_outlives_a_change(
    page: Page, cloud: ServedCloud
) -> None:
    page.goto(cloud.url + LOT_PATH)
    page.get_by_label("Your name").focus()
    page.keyboard.type("Anna")
    page.wait_for_timeout(700)  # the stream's first picture
    page.keyboard.press("Tab")
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("ticket unreadable")
    page.keyboard.press("Enter")
    told = page.locator("[data-part=commands] tbody tr").first
    expect(told).to_contain_text("ticket unreadable", timeout=20_000)
    expect(told).to_contain_text("Anna")
    expect(told).to_contain_text("Sent")
    assert _rows(cloud, "SELECT by_name FROM gate_commands") == [{"by_name": "Anna"}]


def _speak(cloud: ServedCloud) -> None:
    """The lots on line are heard now: staging them may be more than a minute ago."""
    _rows(cloud, "UPDATE gateways SET last_heard_at = now() WHERE disconnected_at IS NULL RETURNING id")


def _rows(cloud: ServedCloud, sql: str) -> list[dict[str, str]]:
    async def read() -> list[dict[str, str]]:
        assert cloud.busy is not None
        async with cloud.busy.cloud.database.connection() as connection:
            return await (await connection.execute(sql.encode())).fetchall()

    return asyncio.run_coroutine_threadsafe(read(), cloud.loop).result(10)


def test_every_page_is_whole_without_script(browser: Browser, cloud: ServedCloud) -> None:
    context = signed_in(browser, cloud, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{cloud.url}/console")
    page.get_by_role("link", name="Market Square").first.click()
    page.get_by_role("link", name="as a table").click()
    expect(page.get_by_role("cell", name="electric").first).to_be_visible()
    page.get_by_role("link", name="Lots", exact=True).first.click()
    page.get_by_label("Find by name or address").fill("street 7,")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("row").nth(1)).to_contain_text("not known")
    page.get_by_role("link", name="Known 7").click()
    expect(page.get_by_text("No live data.")).to_be_visible()
    context.close()


def test_the_keyboard_reaches_the_content_at_once_and_shows_where_it_is(
    page: Page, cloud: ServedCloud
) -> None:
    page.goto(f"{cloud.url}/console")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_chosen_look_stays(page: Page, cloud: ServedCloud) -> None:
    page.goto(f"{cloud.url}/console/gateways")
    page.get_by_label("Look").select_option("contrast")
    expect(page.locator("html")).to_have_attribute("data-theme", "contrast")
    page.goto(f"{cloud.url}/console")
    expect(page.locator("html")).to_have_attribute("data-theme", "contrast")


def test_a_stranger_sees_a_door_and_nothing_else(browser: Browser, cloud: ServedCloud) -> None:
    page = browser.new_page()
    for path in PATHS.values():
        answer = page.goto(cloud.url + path)
        assert answer is not None
        assert answer.status == 401
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Token").fill("guessed")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("this token is not known")).to_be_visible()
    page.get_by_label("Token").fill(STAFF)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{cloud.url}/console")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.close()


def test_nothing_is_loaded_from_another_host_and_nothing_may_be_put_around_a_page(
    page: Page, cloud: ServedCloud
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PATHS.values():
        answer = page.goto(cloud.url + path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
    assert {url for url in asked if not url.startswith((cloud.url, "data:"))} == set()


def test_the_map_and_the_plan_say_in_words_where_the_same_facts_stand(page: Page, cloud: ServedCloud) -> None:
    page.goto(f"{cloud.url}/console")
    expect(page.get_by_role("img", name="the table holds the same facts")).to_be_visible()
    page.goto(cloud.url + LOT_PATH)
    expect(page.get_by_role("img", name="The table view holds the same facts")).to_be_visible()
