"""Plates as cameras read them: one normal form, what is taken for what, and never two candidates."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.plate_formats import COUNTRIES, alphabets, country_of
from parking.plates import (
    TAKEN_FOR,
    Match,
    MatchKind,
    canonical,
    is_confusable,
    is_plausible,
    match_plate,
    settled,
)

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
PLATES = st.text(alphabet="ABDIOQS015827", min_size=1, max_size=5)
# country, a plate as it is written: one of each kind of script, diacritic and separator
WRITTEN = [
    ("GB", "BD51 SMR", "BD51SMR"),
    ("DE", "AÖ-K 271", "AÖK271"),
    ("HR", "ŠI 123-AB", "ŠI123AB"),
    ("BG", "СВ 4471 КН", "CB4471KH"),
    ("GR", "ΥΖΚ-4821", "YZK4821"),
    ("FR", "AB–344–CA", "AB344CA"),
    ("CN", "京A·F0236", "京AF0236"),
    ("JP", "品川 330 さ 46-49", "品川330さ4649"),
]


@pytest.mark.parametrize(("country", "written", "form"), WRITTEN)
def test_a_plate_has_one_form_whatever_stands_between_and_in_whose_letters(
    country: str, written: str, form: str
) -> None:
    assert canonical(written) == form
    assert canonical(form.lower()) == form
    assert country not in COUNTRIES or is_plausible(written, country)


@given(st.text(max_size=12))
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    form = canonical(text)
    assert canonical(form) == form
    assert form.isalnum() or form == ""


@pytest.mark.parametrize(
    ("read", "plate"),
    [("8D51SMR", "BD51SMR"), ("BDSISMR", "BD51SMR"), ("L005000", "LO05OOO"), ("AOK271", "AÖK271"), ("W2745EF", "W27453F")],
)  # fmt: skip
def test_what_cameras_take_for_one_another_may_be_one_plate(read: str, plate: str) -> None:
    assert is_confusable(read, plate)
    assert is_confusable(plate, read)


@pytest.mark.parametrize(("read", "plate"), [("AOB1", "ADB1"), ("AB1", "AB12"), ("AB1", "AC1"), ("", "A")])
def test_two_plates_that_no_camera_confuses_stay_two(read: str, plate: str) -> None:
    assert not is_confusable(read, plate)


def test_confusions_go_both_ways() -> None:
    assert all(sign in TAKEN_FOR[other] for sign, others in TAKEN_FOR.items() for other in others)


@given(read=PLATES, known=st.dictionaries(st.integers(0, 9), PLATES, max_size=6))
def test_a_plate_is_matched_to_one_car_or_to_none(read: str, known: dict[int, str]) -> None:
    equal = [key for key, plate in known.items() if plate == read]
    near = [key for key, plate in known.items() if is_confusable(read, plate)]
    expected = equal or near
    found = match_plate(read, known)
    assert found.key == (expected[0] if len(expected) == 1 else None)
    assert (found.kind is MatchKind.UNDECIDED) is (len(expected) > 1)
    assert (found.kind is MatchKind.NONE) is (not expected)
    assert (found.kind is MatchKind.EXACT) is (len(equal) == 1)


def test_two_plates_that_fold_to_one_are_nobodys() -> None:
    known = {"Berlin": canonical("B-AX 123"), "Bamberg": canonical("BA-X 123")}
    assert match_plate("BA-X 123", known) == Match(kind=MatchKind.UNDECIDED)
    assert match_plate("BA-X 123", {"Berlin": "BAX123"}).key == "Berlin"


@pytest.mark.parametrize(
    ("country", "read", "plate"),
    [
        ("GB", "8D5I SMR", "BD51SMR"),
        ("ES", "4B21 KLM", "4821KLM"),
        ("FR", "A8-344-CA", "AB344CA"),
        ("BR", "R102A18", None),  # the 0 may be O, D or Q
        ("GB", "L005 000", None),  # LO05 OOO of today or LOO 500O of the sixties
        ("GB", "BD51 SMRX", None),
        ("CZ", "IAI IIII", None),  # a reading with three signs wrong is none
        ("GB", "BD51 SMR", "BD51SMR"),
    ],
)
def test_a_reading_is_put_right_only_where_its_country_leaves_one_plate(
    country: str, read: str, plate: str | None
) -> None:
    assert settled(read, country) == plate


@given(country=st.sampled_from(sorted(COUNTRIES)), data=st.data())
def test_what_is_put_right_is_a_plate_of_the_country_that_the_reading_can_be(
    country: str, data: st.DataObject
) -> None:
    places = data.draw(st.sampled_from(alphabets(country)))
    plate = "".join(data.draw(st.sampled_from(sorted(place))) for place in places)
    assert is_plausible(plate, country)
    assert settled(plate, country) == plate
    at = data.draw(st.integers(0, len(plate) - 1))
    misread = data.draw(st.sampled_from(sorted(TAKEN_FOR.get(plate[at], {plate[at]}))))
    read = plate[:at] + misread + plate[at + 1 :]
    right = settled(read, country)
    assert right is None or (is_plausible(right, country) and is_confusable(read, right))


@pytest.mark.parametrize(
    ("word", "country"), [("gb", "GB"), ("GBR", "GB"), ("ca-qc", "CA-QC"), ("64", None), (None, None)]
)
def test_a_cameras_word_for_a_country_is_known_or_none(word: str | None, country: str | None) -> None:
    assert country_of(word) == country


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="The shared plates are not beside this checkout (../shared/data)."
)
def test_of_the_collections_readings_none_is_matched_to_the_wrong_car() -> None:
    def rows(name: str) -> list[dict[str, str]]:
        with (SHARED / name).open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    plates = rows("plates.csv")
    assert [row["as_written"] for row in plates if canonical(row["as_written"]) != row["canonical"]] == []
    strange = [
        row
        for row in plates
        if row["country"] in COUNTRIES and not is_plausible(row["as_written"], row["country"])
    ]
    assert strange == []
    readings = rows("plate_readings.csv")
    inside = {row["as_written"]: row["canonical"] for row in plates}
    inside |= {row["true_plate"]: row["canonical_true"] for row in readings}
    inside["Bamberg"] = "BAX123"
    verdicts = Counter[str]()
    for row in readings:
        found = match_plate(row["as_read"], inside)
        right = found.key is not None and inside[found.key] == row["canonical_true"]
        verdicts["right" if right else "undecided" if found.key is None else "wrong"] += 1
    assert verdicts == {"right": 20, "undecided": 1}
