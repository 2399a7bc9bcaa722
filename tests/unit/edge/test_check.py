"""`lotgate edge check`: every fault with file, line, field, problem and fix; the shipped examples have none."""

from __future__ import annotations

import json
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.check import check, report
from edge.errors import SettingsRefused
from edge.lot_reading import read_settings_file
from parking.lot import SpotType

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLES = sorted(path.name for path in CONFIG.glob("*.toml"))
SMALL = (
    (CONFIG / "small-barrier-lot.toml")
    .read_text()
    .removeprefix("#:schema ./lot.schema.json\n")
    .replace("tariffs/", f"{CONFIG}/tariffs/")
)


def written(folder: Path, text: str) -> Path:
    path = folder / "lot.toml"
    path.write_text(text)
    return path


def problems_of(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in check(path, {})[1]]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_shipped_examples_are_accepted_drivers_included(name: str) -> None:
    settings, problems = check(CONFIG / name, {})
    assert list(problems) == []
    assert settings is not None


def test_an_example_becomes_the_lot_it_describes() -> None:
    settings = read_settings_file(CONFIG / "multi-storey.toml", {"STATE_DIRECTORY": "/var/lib/lotgate"})
    lot = settings.lot
    assert [sum(1 for spot in lot.spots if spot.type is kind) for kind in SpotType] == [400, 16, 28, 24, 12]
    assert (lot.spots[0].number, lot.spots[-1].number) == ("0001", "C-16")
    assert len(settings.sensors) == 480
    assert settings.store.path == Path("/var/lib/lotgate/ledger.sqlite")
    assert settings.key_file == Path("/var/lib/lotgate/gateway.key")
    assert lot.policy.spare_spots == {SpotType.REGULAR: 4}
    assert lot.policy.assumed_stay == timedelta(hours=4)
    assert lot.opening_hours is not None
    assert lot.opening_hours.by_weekday[6] == (time(8), time(22))
    assert settings.lanes[2].terminal == "terminal-1"


def test_what_the_agent_writes_stands_beside_the_file_where_systemd_gives_no_folder(tmp_path: Path) -> None:
    settings = read_settings_file(written(tmp_path, SMALL), {})
    assert settings.store.path == tmp_path / "ledger.sqlite"
    assert settings.api.port_file == tmp_path / "api.port"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("baud = 19200", "baud = 19.2", "lot.toml:LINE drivers.barriers.baud: "),
        ("gate-exit = 2 }", "gate-exit = 1 }", "lot.toml:80 drivers.barriers: two units share one unit id."),
        (
            'kind = "payment_terminal"',
            'kind = "payment_termnal"',
            "lot.toml:LINE drivers.terminal-exit.kind: no driver is called 'payment_termnal'. Fix: choose one of ",
        ),
        (
            'timezone = "Europe/Berlin"',
            'timezone = "Europe/Berln"',
            "lot.toml:LINE lot.timezone: 'Europe/Berln' is not a time zone",
        ),
        ('currency = "EUR"', 'currency = "EURO"', "lot.toml:LINE lot.currency: 'EURO': "),
        (
            'currency = "EUR"',
            'currency = "GBP"',
            "lot.toml:33 tariff.file: the tariff is in EUR, the lot takes GBP.",
        ),
        ("latitude = 49.2980", "", "lot.toml:4 lot.latitude: is missing. Fix: degrees north, -90 to 90."),
        (
            "exit_grace_min = 15",
            "exit_grace_mins = 15",
            "lot.toml:LINE policy.exit_grace_mins: is not known here. Fix: use one of: assumed_stay_min, ",
        ),
        (
            "spare_spots = { regular = 1 }",
            "spare_spots = { regulr = 1 }",
            "lot.toml:LINE policy.spare_spots.regulr: ",
        ),
        (
            'zone = "yard"\ntype = "disabled"',
            'zone = "yrd"\ntype = "disabled"',
            "lot.toml:LINE spots[2].zone: there is no zone 'yrd'. Fix: use one of: yard.",
        ),
        (
            'numbers = ["001-034"]',
            'numbers = ["034-001"]',
            "lot.toml:LINE spots[1].numbers: '034-001' runs backwards.",
        ),
        (
            'prefix = "E-"',
            'prefix = "D-"',
            "lot.toml:57 spots[3].numbers: 'D-1' is painted twice, as are 2 more.",
        ),
        (
            'barrier = "gate-exit"',
            'barrier = "gate-entry"',
            "lot.toml:LINE lanes[2].barrier: 'gate-entry' is the barrier of lane entry-1 already.",
        ),
        (
            'reader = "reader-exit"',
            'reader = "reader-exi"',
            "lot.toml:LINE lanes[2].reader: no driver has a device 'reader-exi'. Fix: use one of: gate-entry, ",
        ),
        ("open_s = 6", "open_s = -6", "lot.toml:LINE lanes[2].timeouts.open_s: "),
        ('lane = "exit-1"', 'lane = "exit-9"', "lot.toml:LINE devices[2].lane: there is no lane 'exit-9'."),
        ('spot = "A-002"', 'spot = "A-2"', "lot.toml:LINE sensors[2].spot: there is no spot 'A-2'."),
        (
            'device = "70b3d5499a2b0002"',
            'device = "70b3d5499a2b0001"',
            "lot.toml:LINE sensors[2].device: '70b3d5499a2b0001' stands twice.",
        ),
        ('url = "wss://', 'url = "https://', "lot.toml:LINE cloud.url: "),
        ("ansbach.toml", "ansbch.toml", "lot.toml:LINE tariff.file: "),
        ('role = "staff"', 'role = "boss"', "lot.toml:LINE devices[3].role: 'boss': "),
        ('id = "exit-1"', 'id = "entry-1"', "lot.toml:LINE lanes[2].id: 'entry-1' stands twice."),
        ("[store]", "[store", "lot.toml:18 syntax: "),
        ('decoder = "bosch/tps110"', 'decoder = "bosch/tps"', "lot.toml:LINE drivers.sensors.decoder: "),
    ],
)
def test_each_fault_names_its_line_its_field_and_its_fix(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    assert SMALL.count(old) >= 1
    text = SMALL.replace(old, new, 1)
    expected = expected.replace("LINE", str(SMALL[: SMALL.index(old)].count("\n") + 1))
    found = problems_of(tmp_path, text)
    assert any(problem.startswith(expected) for problem in found), found
    assert all(" Fix: " in problem for problem in found)


def test_all_faults_of_a_file_are_told_at_once_in_its_order(tmp_path: Path) -> None:
    text = SMALL.replace('zone = "yard"', 'zone = "yrd"').replace('lane = "exit-1"', 'lane = "exit-9"')
    path = written(tmp_path, text)
    lines = [problem.line or 0 for problem in check(path, {})[1]]
    assert len(lines) == 4
    assert lines == sorted(lines)


def test_a_driver_of_somebody_else_names_its_devices_as_it_likes(tmp_path: Path) -> None:
    text = SMALL.replace('kind = "payment_terminal"', 'kind = "acme_terminal"').replace(
        'terminal = "terminal-exit"', 'terminal = "acme-7"'
    )
    assert [problem.split(" ")[1] for problem in problems_of(tmp_path, text)] == [
        "drivers.terminal-exit.kind:"
    ]


def test_for_machines_it_is_one_json_object_and_the_exit_status_says_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL.replace('currency = "EUR"', "currency = 7"))
    text, status = report(path, {}, as_json=True)
    told = json.loads(text)
    assert (status, told["ok"], told["problems"][0]["line"], told["problems"][0]["field"]) == (
        1,
        False,
        8,
        "lot.currency",
    )
    assert json.loads(report(CONFIG / EXAMPLES[0], {}, as_json=True)[0])["ok"] is True
    assert report(CONFIG / EXAMPLES[0], {}, as_json=False)[1] == 0


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_a_fault_too(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsRefused, match="Fix: name the lot's TOML"):
        read_settings_file(tmp_path / name, {})


def test_bytes_that_are_no_text_are_found_on_their_line(tmp_path: Path) -> None:
    path = tmp_path / "lot.toml"
    path.write_bytes(b'[lot]\nname = "\xff"\n')
    with pytest.raises(SettingsRefused, match=r"lot\.toml:2 file: these bytes are no UTF-8"):
        read_settings_file(path, {})


def test_a_table_of_sensors_is_read_from_csv_and_its_faults_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("device,spot\na,A-003\nb\n")
    text = 'sensors_file = "s.csv"\n' + SMALL
    assert "line 3 is 'b', not a device and a spot" in problems_of(tmp_path, text)[0]
    (tmp_path / "s.csv").write_text("device,spot\na,A-003\n\n")
    settings = read_settings_file(written(tmp_path, text), {})
    assert settings.sensors["a"] == settings.lot.spots[2].id


@given(st.data())
def test_no_damage_to_a_file_does_more_than_refuse_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = SMALL.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    what = data.draw(st.sampled_from(["drop", "twice", "cut", "rubbish"]))
    changed = {
        "drop": [],
        "twice": [lines[at], lines[at]],
        "cut": [lines[at][: len(lines[at]) // 2]],
        "rubbish": [data.draw(st.text(max_size=40).filter(lambda text: "\r" not in text))],
    }[what]
    text = "\n".join([*lines[:at], *changed, *lines[at + 1 :]])
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for problem in check(path, {})[1]:
        assert problem.field
        assert problem.fix


def test_a_plate_camera_without_its_token_and_lane_is_named_with_what_to_add(tmp_path: Path) -> None:
    camera = '\n[drivers.camera-in]\nkind = "plate_camera"\nformat = "axis"\n'
    _, problems = check(written(tmp_path, SMALL + camera), {})
    (problem,) = problems
    assert (problem.field, problem.line) == ("drivers.camera-in.kind", len(SMALL.splitlines()) + 3)
    assert 'name = "camera-in", role = "camera"' in problem.fix
    device = (
        f'\n[[devices]]\nname = "camera-in"\nrole = "camera"\nlane = "entry-1"\ntoken_sha256 = "{"0" * 64}"\n'
    )
    _, problems = check(written(tmp_path, SMALL + camera + device), {})
    assert problems == []


def test_the_folders_of_systemd_stand_for_themselves_however_deep_a_drivers_table_is() -> None:
    settings = read_settings_file(CONFIG / "permit-only.toml", {"CREDENTIALS_DIRECTORY": "/run/keys"})
    (readers,) = (driver for driver in settings.drivers if driver.name == "readers")
    assert readers.own["key_files"] == {"reader-in": "/run/keys/osdp-in", "reader-out": "/run/keys/osdp-out"}
