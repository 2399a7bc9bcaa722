"""What may stand in a tariff document, and what it answers to what may not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.errors import InvalidTariff
from parking.tariff_document import parse_tariff, tariff_to_document

SHIPPED = sorted((Path(__file__).parents[3] / "config" / "tariffs").glob("*.toml"))
HEAD = 'id = "t"\nversion = 1\ncurrency = "EUR"\ntimezone = "Europe/Berlin"\n'
RATE = '[[rate]]\nprice = "1.00"\n'

EVERYTHING = (
    HEAD
    + """
name = "Everything"
valid_from = 2024-01-01
valid_until = "2025-01-01"
free_min = 10
after_free = "charged_from_free_end"
on_rate_change = "finish_step"
minimum = "0.50"
rounding = "half_even"
round_to_minor = 5
grace_period_min = 0
max_stay_min = 20160
lost_ticket = "30.00"
special_days = { PH = [2024-12-25], Fair = [2024-09-02, 2024-09-03] }
[[closed]]
from = "02:00"
until = "05:00"
[[rate]]
label = "Early"
entered = { days = "Mon-Fri, Fair", from = "06:00", until = "09:00" }
left = { from = "15:00", until = "24:00", same_day = true }
spot_types = "regular, compact"
price = "9.00"
[[rate]]
left = { same_day = true }
up_to_min = 30
price = "1.13/30"
per_min = 1
[[rate]]
label = "Weekend"
from = "Fri 18:00"
until = "Mon 00:00"
price_minor = "113/7"
per_min = 10
max = "8.00"
[[rate]]
label = "Holiday"
days = ["PH"]
after_min = 60
price_minor = 0
[[rate]]
label = "Else"
repeat_min = 1440
steps = [{ until_min = 60, price = "1.00", per_min = 20 }, { until_min = 90, price = "0.10" }, { price = "2.00", per_min = 60 }]
[[maximum]]
per = "calendar_day"
amount = "10.00"
entered = { days = "Sat-Mon" }
[[maximum]]
every_min = 10080
amount_minor = 4000
[[maximum]]
per = "stay"
amount = "90.00"
spot_types = ["ev"]
"""
)


@pytest.mark.parametrize("text", [*(path.read_text(encoding="utf-8") for path in SHIPPED), EVERYTHING])
def test_a_tariff_survives_the_journey_to_a_gateway(text: str) -> None:
    tariff = parse_tariff(tomllib.loads(text))
    document = tariff_to_document(tariff)
    assert parse_tariff(json.loads(json.dumps(document))) == tariff
    assert tariff_to_document(parse_tariff(document)) == document


# What an operator may get wrong → the field, a part of the problem, a part of the fix.
FAULTS = [
    ("version = 1\n", "currency", "is missing", 'currency = "EUR"'),
    (HEAD, "rate", "is missing", "[[rate]]"),
    (HEAD.replace("EUR", "euro") + RATE, "currency", "ISO 4217", "three capitals"),
    (HEAD.replace("Berlin", "Berlinn") + RATE, "timezone", "not known", "IANA"),
    (HEAD.replace("version = 1", 'version = "1"') + RATE, "version", "'1' is not one", "version = 1"),
    (HEAD.replace('id = "t"', "id = 7") + RATE, "id", "not a text", "quotes"),
    (HEAD + "[[rate]]\nprice = 2.5\n", "rate[1].price", "bare number", 'price = "2.50"'),
    (HEAD.replace("EUR", "JPY") + "[[rate]]\nprice = 300\n", "rate[1].price", "bare number", 'price = "2"'),
    (HEAD + '[[rate]]\nprice = "2,50"\n', "rate[1].price", "not an amount", '"2.50"'),
    (HEAD + '[[rate]]\nprice = "2"\nprice_minor = 200\n', "rate[1].price", "both there", "keep one"),
    (HEAD + '[[rate]]\nprice_minor = "2.50"\n', "rate[1].price_minor", "minor units", "price_minor = 250"),
    (HEAD + "[[rate]]\nper_min = 60\n", "rate[1].price", "is missing", "price"),
    (HEAD + '[[rate]]\nprice = "1"\nper_min = 0\n', "rate[1].per_min", "not one", "per_min = 60"),
    (HEAD + '[[rate]]\nprise = "1"\nprice = "1"\n', "rate[1].prise", "not a key", "did you mean price?"),
    (HEAD + "fre_min = 5\n" + RATE, "fre_min", "not a key", "did you mean free_min?"),
    (HEAD + "free_min = 5\n" + RATE, "after_free", "missing beside free_min", "charged_from_free_end"),
    (HEAD + 'rounding = "nearest"\n' + RATE, "rounding", "not known", "half_up, half_even"),
    (HEAD + RATE + 'days = "Mon-Fri, PH"\n', "rate[1].days", "'PH' is not a day", "[special_days] PH ="),
    (HEAD + RATE + 'from = "08:00"\n', "rate[1].until", "is missing", "together"),
    (HEAD + RATE + 'from = "8 am"\nuntil = "18:00"\n', "rate[1].from", "not a time of day", '"18:00"'),
    (HEAD + RATE + 'from = "24:00"\nuntil = "06:00"\n', "rate[1].from", "end of a day", '"00:00"'),
    (HEAD + RATE + 'from = "Fri 24:00"\nuntil = "Sun 06:00"\n', "rate[1].from", "end of a day", '"00:00"'),
    (HEAD + RATE + 'from = "Fri 18:00"\nuntil = "06:00"\n', "rate[1].until", "one side only", "both"),
    (HEAD + RATE + 'spot_types = "motorcycles"\n', "rate[1].spot_types", "not known", "did you mean motorcycle?"),
    (HEAD + '[[rate]]\nsteps = [{ until_min = 60, price = "1" }]\n', "rate[1].steps", "last step", "docs/tariffs.md"),
    (HEAD + '[[rate]]\nsteps = [{ price = "1" }, { price = "2" }]\n', "rate[1].steps", "until_min", "docs/tariffs.md"),
    (
        HEAD + '[[rate]]\nsteps = [{ until_min = 9, total = "2" }, { total = "1" }]\n',
        "rate[1].steps[2].total", "does not follow", "at least",
    ),
    (HEAD + "[[rate]]\nsteps = [{ until_min = 60 }]\n", "rate[1].steps[1].price", "price and total", "total"),
    (HEAD + RATE + '[[maximum]]\namount = "9.00"\n', "maximum[1].per", "not clear", "calendar_day"),
    (HEAD + RATE + '[[maximum]]\nper = "week"\namount = "9.00"\n', "maximum[1].per", "not known", "stay"),
    (HEAD + RATE + '[[maximum]]\nper = "stay"\n', "maximum[1].amount", "is missing", "amount"),
    (HEAD + RATE + "[maximum]\n", "maximum", "not a list", "[[maximum]]"),
    (HEAD + RATE + "entered = { day = 1 }\n", "rate[1].entered.day", "not a key", "did you mean days?"),
    (HEAD + RATE + "[special_days]\nPH = [2024-12-25]\n", "special_days.PH", "nothing names", "days"),
    (HEAD + RATE + '[special_days]\nPH = ["25.12."]\n', "special_days.PH[1]", "not a date", "2024-12-25"),
    (
        HEAD + RATE + "[special_days]\nPH = [2024-12-25]\nXmas = [2024-12-25]\n",
        "special_days.Xmas", "also in PH", "one list",
    ),
    (HEAD + "valid_from = 2024-05-01\nvalid_until = 2024-05-01\n" + RATE, "valid_until", "not after", "first day"),
    (HEAD + 'lost_ticket = "1/3"\n' + RATE, "lost_ticket", "not a whole number", "paid"),
    (HEAD + RATE + 'days = "Mon-Sat"\n', "rate", "Sun 00:00 to Mon 00:00", "[[closed]]"),
    (HEAD + RATE + 'spot_types = "ev"\n', "rate", "for a regular spot", "add a [[rate]]"),
    (HEAD + RATE + "first_min = 60\n", "rate", "from its minute 60 on", "add a [[rate]]"),
    (
        HEAD + RATE + 'days = "Mon-Sun"\n[special_days]\nPH = []\n' + RATE + 'days = "PH"\nfrom = "08:00"\nuntil = "20:00"\n',
        "rate", "Mon, a PH day 00:00 to Mon, a PH day 08:00", "add a [[rate]]",
    ),
    (HEAD + RATE + '[[rate]]\nlabel = "Night"\nprice = "1"\nfrom = "18:00"\nuntil = "06:00"\n', "rate", "'Night' never", "above"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "problem", "fix"), FAULTS)
def test_a_fault_is_named_with_its_field_its_problem_and_the_fix(
    text: str, field: str, problem: str, fix: str
) -> None:
    with pytest.raises(InvalidTariff) as caught:
        parse_tariff(tomllib.loads(text))
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert fix in caught.value.fix
    assert str(caught.value) == f"{caught.value.field}: {caught.value.problem}; {caught.value.fix}"


PLACES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 3000) | st.floats() | st.text(max_size=6)
    | st.sampled_from(["2.50", "1/3", "07:00", "24:00", "Fri 18:00", "Mon-Fri", "PH", "EUR", "2024-02-30"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(deadline=None)
@given(st.data())
def test_whatever_is_put_in_place_of_a_value_is_read_or_refused_by_name(data: st.DataObject) -> None:
    document: dict[str, Any] = tomllib.loads(EVERYTHING)
    holder: Any = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(PLACES)
    try:
        tariff = parse_tariff(document)
    except InvalidTariff:
        return
    assert parse_tariff(tariff_to_document(tariff)) == tariff
