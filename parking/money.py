"""Money: whole minor units of one currency, and the exact amounts between them. No floats anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from parking.errors import CurrencyMismatch

ISO_4217_CODE = re.compile(r"[A-Z]{3}")
DECIMAL = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")

# ISO 4217, list one: the currencies whose minor unit is not a hundredth.
MINOR_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`amount_minor` whole minor units (cents, øre, yen) of the ISO 4217 `currency`.

    Raises:
        TypeError: the amount is not an int.
        ValueError: the currency is not three capital letters.
        CurrencyMismatch: two currencies were added, subtracted or compared for order.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError(
                f"amount_minor {self.amount_minor!r} is not an int; money is counted in minor units"
            )
        if not ISO_4217_CODE.fullmatch(self.currency):
            raise ValueError(f"currency {self.currency!r} is not an ISO 4217 code, as in EUR")

    def __add__(self, other: Money) -> Money:
        return Money(amount_minor=self.amount_minor + self._same(other), currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount_minor=self.amount_minor - self._same(other), currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount_minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount_minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount_minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount_minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.currency} {in_major(self.amount_minor, self.currency)}"

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(self.currency, other.currency)
        return other.amount_minor


def minor_digits(currency: str) -> int:
    """How many decimals the currency's minor unit has (ISO 4217): 2 unless it is listed otherwise."""
    return MINOR_DIGITS.get(currency, 2)


def exact_minor(text: str, currency: str) -> Fraction:
    """Minor units of an amount as people write it: "2.50", or a quotient as in "1.13/30" where a price falls between cents.

    Raises:
        ValueError: the text is neither.
    """
    dividend, slash, divisor = text.partition("/")
    if not DECIMAL.fullmatch(dividend) or (slash and not DECIMAL.fullmatch(divisor)):
        raise ValueError(f"{text!r} is not an amount")
    parts = Fraction(divisor) if slash else Fraction(1)
    if parts == 0:
        raise ValueError(f"{text!r} divides by zero")
    return Fraction(dividend) / parts * Fraction(10) ** minor_digits(currency)


def in_major(minor: int | Fraction, currency: str) -> str:
    """The amount as people read it, with the currency's own decimals; between minor units, three more, cut off after "…"."""
    digits = minor_digits(currency)
    scaled = Fraction(minor)
    between = scaled.denominator != 1
    places = digits + 3 if between else digits
    whole = abs(scaled) * 10 ** (places - digits)
    cut = int(whole)
    sign = "-" if scaled < 0 else ""
    text = str(cut).rjust(places + 1, "0")
    number = f"{text[:-places]}.{text[-places:]}" if places else text
    return f"{sign}{number}{'…' if whole != cut else ''}"
