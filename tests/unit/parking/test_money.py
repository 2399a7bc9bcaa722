"""Money adds up within one currency and knows no floats."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.errors import CurrencyMismatch
from parking.money import Money, exact_minor, in_major

WHOLE = st.integers(min_value=-(10**12), max_value=10**12)


@given(WHOLE, WHOLE)
def test_sums_and_differences_are_exact(one: int, other: int) -> None:
    first, second = Money(amount_minor=one, currency="EUR"), Money(amount_minor=other, currency="EUR")
    assert (first + second).amount_minor == one + other
    assert first + second - second == first
    assert (first < second, first <= second, first > second, first >= second) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
    )


def test_two_currencies_neither_add_up_nor_compare() -> None:
    euros, francs = Money(amount_minor=1, currency="EUR"), Money(amount_minor=1, currency="CHF")
    with pytest.raises(CurrencyMismatch, match="EUR and CHF do not add up"):
        _ = euros + francs
    with pytest.raises(CurrencyMismatch):
        _ = euros - francs
    with pytest.raises(CurrencyMismatch):
        _ = euros < francs
    assert euros != francs


@pytest.mark.parametrize("amount", [2.5, True, "250"])
def test_an_amount_that_is_not_a_whole_number_is_refused(amount: object) -> None:
    with pytest.raises(TypeError, match="minor units"):
        Money(amount_minor=amount, currency="EUR")  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "€"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(amount_minor=0, currency=currency)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("2.50", "EUR", Fraction(250)),
        ("100", "TWD", Fraction(10_000)),
        ("300", "JPY", Fraction(300)),
        ("0.125", "BHD", Fraction(125)),
        ("0.05966667", "EUR", Fraction(5966667, 10**6)),
        ("1.13/30", "SGD", Fraction(113, 30)),
    ],
)
def test_amounts_are_read_exactly_with_the_currency_s_own_decimals(
    text: str, currency: str, minor: Fraction
) -> None:
    assert exact_minor(text, currency) == minor


@pytest.mark.parametrize("text", ["2,50", "", "-1", "1/0", "1.13/", "1e3", "½", "2.50 EUR", "٣"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an amount|divides by zero"):
        exact_minor(text, "EUR")


def test_amounts_are_shown_as_people_read_them() -> None:
    assert str(Money(amount_minor=1400, currency="CAD")) == "CAD 14.00"
    assert str(Money(amount_minor=-5, currency="EUR")) == "EUR -0.05"
    assert in_major(300, "JPY") == "300"
    assert in_major(Fraction(113, 30), "SGD") == "0.03766…"
