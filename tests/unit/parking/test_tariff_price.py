"""What stays cost: our own table over the shipped tariffs, and the rules of the meter one by one."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.errors import InvalidStay
from parking.lot import SpotType
from parking.price import Price, hourly_hint, price, rounded
from parking.tariff import Rounding, Tariff, tariff_in_force
from parking.tariff_document import parse_tariff

SHIPPED = Path(__file__).parents[3] / "config" / "tariffs"
SHIPPED_IDS = sorted(path.stem for path in SHIPPED.glob("*.toml"))
HEAD = 'id = "t"\nversion = 1\ncurrency = "EUR"\ntimezone = "Europe/Berlin"\n'
MONDAY = date(2024, 5, 13)


def shipped(name: str) -> Tariff:
    """A tariff of config/tariffs."""
    return parse_tariff(tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8")))


def written(text: str) -> Tariff:
    """A tariff in euros, from the part that matters."""
    return parse_tariff(tomllib.loads(HEAD + text))


def at(tariff: Tariff, text: str) -> datetime:
    """ "Mon 08:00" in the week of 13 May 2024, or an ISO instant; civil in the tariff's zone."""
    if text[:3].isalpha():
        day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun").index(text[:3])
        text = f"{MONDAY + timedelta(days=day)}T{text[4:]}"
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=tariff.calendar.zone)


def cost(tariff: Tariff, starts: str, ends: str, *, spot_type: SpotType = SpotType.REGULAR) -> int:
    """Minor units, with the lines checked against the total."""
    result = price(tariff, at(tariff, starts), at(tariff, ends), spot_type=spot_type)
    assert sum(line.amount_minor for line in result.lines) == result.total_minor
    return result.total_minor


# From the published rules; own cases, worked by hand.
WORKED = [
    ("toronto-greenp-001", "2019-06-12T06:30", "2019-06-12T07:01", 500),  # one half hour by night, one by day
    ("toronto-greenp-001", "2019-06-12T17:59", "2019-06-14T18:01", 250 + 600 + 1400 + 600 + 1400 + 250),
    (
        "toronto-greenp-043",
        "2019-06-15T17:00",
        "2019-06-15T20:00",
        100 + 100 + 500,
    ),  # special hours on both sides
    ("toronto-greenp-043", "2019-06-15T05:00", "2019-06-15T06:00", 100),  # the earliest entry of the special
    ("toronto-greenp-043", "2019-06-16T10:00", "2019-06-16T10:45", 500),  # Sunday
    ("toronto-greenp-012", "2019-06-12T09:59", "2019-06-12T18:00", 2500),
    ("toronto-greenp-012", "2019-06-12T10:00", "2019-06-12T18:00", 2200),
    ("toronto-ttc-801", "2019-12-26T08:00", "2019-12-26T20:00", 0),  # Boxing Day, a Thursday
    ("toronto-ttc-801", "2019-06-15T01:00", "2019-06-15T09:00", 200),  # still Friday's evening
    ("toronto-ttc-801", "2019-06-13T03:00", "2019-06-13T09:00", 600),  # came while closed: as if at 05:00
    ("toronto-greenp-235", "2019-06-12T10:00", "2019-06-15T10:00", 2700),
    ("sbb-suhr", "2024-05-14T08:00", "2024-05-14T08:30:01", 50),
    (
        "sbb-rapperswil",
        "2024-05-14T08:00",
        "2024-05-15T09:00",
        1250,
    ),  # the 25th hour is one of the third kind
    ("leeuwarden-gar15", "2024-05-14T09:00", "2024-05-14T18:00", 745),
    ("utrecht-utg1", "2026-03-10T10:00", "2026-03-10T10:25", 149),  # 149.16675
    ("sg-hougang-mall", "2024-05-22T12:00", "2024-05-22T12:20", 130),  # Vesak Day, a Wednesday
    ("sg-parliament-house", "2024-05-18T19:00", "2024-05-19T09:00", 412),  # Saturday night and Sunday
    ("sg-parliament-house", "2024-05-19T10:00", "2024-05-20T09:00", 206 + 226),
    ("sg-singapore-expo", "2024-05-15T10:00", "2024-05-15T10:00:01", 320),
    ("sg-mustafa-centre", "2024-05-15T10:00", "2024-05-15T11:00:01", 200),
    ("taipei-tpe0001", "2024-05-15T10:00", "2024-05-15T10:00", 0),
    ("db-bahnpark-ansbach", "2024-05-14T08:00", "2024-05-28T08:00", 4800),
]


@pytest.mark.parametrize(("name", "starts", "ends", "minor"), WORKED)
def test_the_shipped_tariffs_price_as_published(name: str, starts: str, ends: str, minor: int) -> None:
    assert cost(shipped(name), starts, ends) == minor


def test_fifteen_published_tariffs_are_shipped_under_their_own_ids() -> None:
    assert len(SHIPPED_IDS) == 15
    assert [shipped(name).id for name in SHIPPED_IDS] == SHIPPED_IDS


INSTANTS = st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2024, 12, 1)).map(  # noqa: DTZ001 — made aware next
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)


@given(st.sampled_from(SHIPPED_IDS), INSTANTS, st.integers(0, 20_000), st.integers(5_000, 30_000))
def test_lines_add_up_and_lie_within_the_stay(
    name: str, starts_at: datetime, stay_min: int, factor_1e4: int
) -> None:
    ends_at = starts_at + timedelta(minutes=stay_min)
    result: Price = price(shipped(name), starts_at, ends_at, factor_1e4=factor_1e4)
    assert sum(line.amount_minor for line in result.lines) == result.total_minor >= 0
    assert all(starts_at <= line.from_at <= line.to_at <= ends_at for line in result.lines)
    plain = price(shipped(name), starts_at, ends_at).total_minor
    assert result.total_minor == rounded(Fraction(plain * factor_1e4, 10_000), Rounding.HALF_EVEN)


@given(st.sampled_from(SHIPPED_IDS), INSTANTS, st.integers(0, 5_000), st.integers(0, 500))
def test_a_longer_stay_never_costs_less(name: str, starts_at: datetime, stay_min: int, more_min: int) -> None:
    tariff = shipped(name)
    shorter = price(tariff, starts_at, starts_at + timedelta(minutes=stay_min))
    longer = price(tariff, starts_at, starts_at + timedelta(minutes=stay_min + more_min))
    assert shorter.total_minor <= longer.total_minor


def test_free_minutes_are_lost_or_kept_as_the_tariff_says() -> None:
    hourly = '[[rate]]\nprice = "1.00"\nper_min = 60\n'
    lost = written('free_min = 15\nafter_free = "charged_from_entry"\n' + hourly)
    kept = written('free_min = 15\nafter_free = "charged_from_free_end"\n' + hourly)
    assert [cost(lost, "Mon 08:00", end) for end in ("Mon 08:15", "Mon 08:16", "Mon 09:01")] == [0, 100, 200]
    assert [cost(kept, "Mon 08:00", end) for end in ("Mon 08:15", "Mon 08:16", "Mon 09:15")] == [0, 100, 100]


def test_a_calendar_day_and_24_hours_from_entry_are_two_kinds_of_day() -> None:
    hourly = '[[rate]]\nprice = "2.00"\nper_min = 60\n[[maximum]]\namount = "10.00"\n'
    assert cost(written(hourly + 'per = "calendar_day"'), "Mon 18:00", "Tue 06:00") == 1000 + 1000
    assert cost(written(hourly + "every_min = 1440"), "Mon 18:00", "Tue 06:00") == 1000
    assert cost(written(hourly + 'per = "stay"'), "Mon 18:00", "Sun 06:00") == 1000


def test_of_several_maxima_the_tightest_decides() -> None:
    text = '[[rate]]\nprice = "1.00"\nper_min = 60\nmax = "30.00"\n'
    text += '[[maximum]]\nper = "stay"\namount = "25.00"\n[[maximum]]\nevery_min = 1440\namount = "10.00"\n'
    tariff = written(text)
    assert [cost(tariff, "Mon 00:00", end) for end in ("Mon 12:00", "Tue 09:00", "Thu 09:00")] == [
        1000,
        1900,
        2500,
    ]


EARLY_BIRD = """
[[rate]]
label = "Early bird"
entered = { days = "Mon-Fri", from = "06:00", until = "09:30" }
left = { from = "15:30", until = "19:00", same_day = true }
price = "9.00"
[[rate]]
label = "Hourly"
price = "4.00"
per_min = 60
"""


@pytest.mark.parametrize(
    ("starts", "ends", "minor"),
    [
        ("Mon 06:00", "Mon 15:30", 900),
        ("Mon 09:29", "Mon 19:00", 900),
        ("Mon 09:30", "Mon 19:00", 4000),  # came too late
        ("Mon 09:00", "Mon 15:29", 2800),  # left too early
        ("Mon 09:00", "Mon 19:00:01", 4400),  # left too late
        ("Mon 09:00", "Tue 16:00", 12400),  # left in time, a day later
        ("Sat 09:00", "Sat 16:00", 2800),  # not a weekday
    ],
)
def test_the_early_bird_must_come_and_go_in_time(starts: str, ends: str, minor: int) -> None:
    assert cost(written(EARLY_BIRD), starts, ends) == minor


WEEK = """
[special_days]
PH = [2024-05-15]
[[rate]]
label = "Weekend"
from = "Fri 18:00"
until = "Mon 06:00"
price = "10.00"
[[rate]]
label = "Holiday"
days = "PH"
price = "0.00"
[[rate]]
label = "Evening"
from = "18:00"
until = "06:00"
price = "3.00"
[[rate]]
label = "Day"
price = "2.00"
per_min = 60
"""


@pytest.mark.parametrize(
    ("starts", "ends", "minor"),
    [
        ("Mon 17:30", "Mon 19:00", 500),  # a started hour and the evening
        ("Fri 17:00", "Sat 20:00", 1200),
        ("Sun 23:00", "2024-05-20T07:00", 1200),  # the weekend lasts until Monday 06:00
        ("Wed 06:00", "Thu 00:00", 0),  # the holiday, its evening too
        ("Tue 20:00", "Thu 07:00", 300 + 300 + 200),  # evening, holiday free, the rest of Wednesday's evening
    ],
)
def test_the_first_rate_from_the_top_is_in_force(starts: str, ends: str, minor: int) -> None:
    assert cost(written(WEEK), starts, ends) == minor


def test_a_step_that_was_begun_is_finished_where_the_tariff_says_so() -> None:
    rates = '[[rate]]\nfrom = "08:00"\nuntil = "20:00"\nprice = "2.00"\nper_min = 60\n'
    rates += '[[rate]]\nfrom = "20:00"\nuntil = "08:00"\nprice = "1.00"\nper_min = 60\n'
    at_once, finished = written(rates), written('on_rate_change = "finish_step"\n' + rates)
    assert cost(at_once, "Mon 18:30", "Mon 21:00") == 2 * 200 + 100
    assert cost(finished, "Mon 18:30", "Mon 20:30") == 2 * 200
    assert cost(finished, "Mon 18:30", "Mon 21:00") == 2 * 200 + 100
    assert cost(finished, "Mon 18:30", "Mon 21:31") == 2 * 200 + 2 * 100


def test_totals_are_the_price_of_the_stay_up_to_there() -> None:
    text = '[[rate]]\nsteps = [{ until_min = 60, total = "1.50" }, { until_min = 120, total = "2.50" }, { total = "9.00" }]'
    assert [cost(written(text), "Mon 08:00", end) for end in ("Mon 09:00", "Mon 09:01", "Tue 09:00")] == [
        150,
        250,
        900,
    ]


def test_steps_begin_anew_where_the_tariff_repeats_them() -> None:
    text = '[[rate]]\nrepeat_min = 1440\nsteps = [{ until_min = 60, price = "3.00" }, { price = "5.00" }]'
    assert cost(written(text), "Mon 08:00", "Tue 08:30") == 300 + 500 + 300


def test_the_first_day_and_the_further_days_can_be_two_rates() -> None:
    text = '[[rate]]\nfirst_min = 1440\nprice = "2.00"\nper_min = 60\nmax = "12.00"\n'
    text += '[[rate]]\nprice = "8.00"\nper_min = 1440\n'
    assert [cost(written(text), "Mon 08:00", end) for end in ("Mon 10:00", "Tue 08:00", "Wed 08:01")] == [
        400,
        1200,
        2800,
    ]


def test_a_spot_type_can_have_its_own_price() -> None:
    text = '[[rate]]\nspot_types = ["motorcycle"]\nprice = "0.00"\n[[rate]]\nprice = "2.00"\nper_min = 60\n'
    tariff = written(text)
    assert cost(tariff, "Mon 08:00", "Mon 09:00", spot_type=SpotType.MOTORCYCLE) == 0
    assert cost(tariff, "Mon 08:00", "Mon 09:00", spot_type=SpotType.EV) == 200


def test_minimum_then_rounding_then_factor_each_in_a_line_of_its_own() -> None:
    tariff = written(
        'minimum = "1.02"\nround_to_minor = 5\n[[rate]]\nlabel = "Parking"\nprice = "0.01"\nper_min = 1\n'
    )
    result = price(tariff, at(tariff, "Mon 08:00"), at(tariff, "Mon 08:10"), factor_1e4=15_000)
    assert [(line.label, line.amount_minor) for line in result.lines] == [
        ("Parking", 10),
        ("minimum charge", 92),
        ("rounding", -2),
        ("factor 1.5000", 50),
    ]
    assert result.total_minor == 150


def test_nothing_owed_is_not_raised_to_the_minimum() -> None:
    tariff = written(
        'minimum = "2.00"\nfree_min = 10\nafter_free = "charged_from_entry"\n[[rate]]\nprice = "3.00"\n'
    )
    assert cost(tariff, "Mon 08:00", "Mon 08:10") == 0


@pytest.mark.parametrize(
    ("rounding", "wanted"),
    [
        (Rounding.HALF_UP, (0, 1, 2, 3)),
        (Rounding.HALF_EVEN, (0, 0, 2, 2)),
        (Rounding.UP, (1, 1, 2, 3)),
        (Rounding.DOWN, (0, 0, 1, 2)),
    ],
)
def test_each_rounding_does_as_it_is_called(rounding: Rounding, wanted: tuple[int, ...]) -> None:
    amounts = (Fraction(1, 3), Fraction(1, 2), Fraction(3, 2), Fraction(5, 2))
    assert tuple(rounded(amount, rounding) for amount in amounts) == wanted


def test_the_dynamic_factor_rounds_half_even() -> None:
    tariff = written("[[rate]]\nprice_minor = 5\n")
    stay = at(tariff, "Mon 08:00"), at(tariff, "Mon 09:00")
    assert [price(tariff, *stay, factor_1e4=factor).total_minor for factor in (5_000, 15_000, 10_000)] == [
        2,
        8,
        5,
    ]


def test_a_stay_longer_than_published_is_priced_and_said_to_be_over() -> None:
    tariff = shipped("leeuwarden-gar15")
    start = at(tariff, "2024-05-14T09:00")
    assert not price(tariff, start, start + timedelta(minutes=480)).over_max_stay
    assert price(tariff, start, start + timedelta(minutes=481)).over_max_stay


def test_the_hint_is_the_price_of_the_first_hour_from_now() -> None:
    tariff = shipped("toronto-greenp-001")
    assert str(hourly_hint(tariff, at(tariff, "2019-06-12T09:00"))) == "CAD 5.00"


def test_the_version_in_force_is_the_highest_that_is_valid_at_entry() -> None:
    old = written('valid_until = 2024-06-01\n[[rate]]\nprice = "1.00"')
    new = parse_tariff(
        tomllib.loads(
            HEAD.replace("version = 1", "version = 2") + 'valid_from = 2024-05-15\n[[rate]]\nprice = "2.00"'
        )
    )
    assert tariff_in_force([new, old], at(old, "2024-05-14T23:59")) == old
    assert tariff_in_force([old, new], at(old, "2024-05-15T00:00")) == new
    assert tariff_in_force([old], at(old, "2024-06-01T00:00")) is None


def test_who_paid_may_leave_within_the_grace_period() -> None:
    tariff = written('grace_period_min = 20\n[[rate]]\nprice = "1.00"')
    paid_at = at(tariff, "Mon 08:00")
    assert tariff.grace_ends_at(paid_at) == paid_at + timedelta(minutes=20)


def test_a_stay_that_makes_no_sense_is_refused() -> None:
    tariff = shipped("sbb-suhr")
    start = at(tariff, "2024-05-14T09:00")
    with pytest.raises(InvalidStay, match="before it starts"):
        price(tariff, start, start - timedelta(minutes=1))
    with pytest.raises(InvalidStay, match="no offset"):
        price(tariff, start.replace(tzinfo=None), start)
    with pytest.raises(InvalidStay, match="factor"):
        price(tariff, start, start, factor_1e4=-1)
