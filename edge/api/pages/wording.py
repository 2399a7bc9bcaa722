"""What the screens say, language by language: one TOML table each in words/, all with the same keys.

Another language is another file: nothing else names them. A text holds its values in braces: "Pay {amount}".
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from parking.decision import Reason
from parking.lot import LaneKind
from parking.money import minor_digits

WORDS = Path(__file__).parent / "words"
NO_BREAK = "\N{NO-BREAK SPACE}"

# Narrow symbols as CLDR has them; a currency that is not here is written with its code.
SYMBOLS = {
    "AUD": "$",
    "CAD": "$",
    "CZK": "Kč",
    "DKK": "kr",
    "EUR": "€",
    "GBP": "£",
    "JPY": "¥",
    "NOK": "kr",
    "NZD": "$",
    "PLN": "zł",
    "SEK": "kr",
    "USD": "$",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language of the screens: its texts by dotted key, and how it writes money, times and reasons."""

    code: str
    texts: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """The text of `key` with its values.

        Raises:
            KeyError: there is no such text, or it wants a value that is not given.
        """
        return self.texts[key].format_map(values)

    @property
    def name(self) -> str:
        """The language's name in itself."""
        return self.texts["name"]

    @property
    def direction(self) -> str:
        """The direction of writing, "ltr" or "rtl"."""
        return self.texts["direction"]

    def reason(self, reason: Reason) -> str:
        """The sentence of a reason; the domain's own where the language has none."""
        return self.texts.get(f"reason.{reason.value}", reason.sentence)

    def lane(self, kind: LaneKind, lane: str) -> str:
        """A lane as a driver knows it: "Entry 1" for the entry lanes `entry-1` and `lane-1`."""
        rest = lane.removeprefix(kind.value).removeprefix("lane").strip("-_ ")
        return f"{self.say(f'bar.{kind.value}')} {rest}".strip()

    def money(self, amount_minor: int, currency: str) -> str:
        """An amount as this language writes it: £1,204.50, 1.204,50 £, CHF 12.00."""
        digits = minor_digits(currency)
        whole, part = divmod(abs(amount_minor), 10**digits)
        number = f"{whole:,}".replace(",", self.texts["number.thousands"])
        if digits:
            number += self.texts["number.decimal"] + f"{part:0{digits}d}"
        symbol = SYMBOLS.get(currency, currency)
        pattern = self.texts["number.money"]
        if pattern.startswith("{symbol}{") and symbol == currency:
            pattern = "{symbol}" + NO_BREAK + "{number}"
        sign = "\N{MINUS SIGN}" if amount_minor < 0 else ""
        return sign + pattern.format(symbol=symbol, number=number)

    def count(self, number: int) -> str:
        """A whole number with its thousands."""
        return f"{number:,}".replace(",", self.texts["number.thousands"])

    def clock(self, at: datetime, zone: ZoneInfo) -> str:
        """Civil hh:mm; on a night in which the clock changes, with the zone's name."""
        civil = at.astimezone(zone)
        midnight = civil.replace(hour=0, minute=0, second=0, microsecond=0)
        changes = midnight.utcoffset() != (midnight + timedelta(days=1)).utcoffset()
        return f"{civil:%H:%M}{NO_BREAK}{civil.tzname()}" if changes else f"{civil:%H:%M}"

    def moment(self, at: datetime, now: datetime, zone: ZoneInfo) -> str:
        """An instant as people say it: 14:25, tomorrow at 06:00, Tue 24 Nov at 06:00."""
        days = (at.astimezone(zone).date() - now.astimezone(zone).date()).days
        clock = self.clock(at, zone)
        if days == 0:
            return clock
        if days == 1:
            return self.say("time.tomorrow", clock=clock)
        return self.say("time.date", date=self.date(at, zone), clock=clock)

    def date(self, at: datetime, zone: ZoneInfo) -> str:
        """The civil date, as Tue 24 Nov."""
        civil = at.astimezone(zone)
        weekdays, months = self.texts["time.weekdays"].split(), self.texts["time.months"].split()
        return self.say(
            "time.day", weekday=weekdays[civil.weekday()], day=civil.day, month=months[civil.month - 1]
        )

    def duration(self, length: timedelta) -> str:
        """A length of time in two units at most: 2 d 4 h, 2 h 23 min, 12 min, 40 s."""
        seconds = max(0, int(length.total_seconds()))
        days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
        if seconds < 60:
            return self.say("time.s", n=seconds)
        units = [("d", days), ("h", hours), ("min", minutes)]
        first = next(i for i, (_, n) in enumerate(units) if n)
        return " ".join(self.say(f"time.{unit}", n=n) for unit, n in units[first : first + 2] if n)


def load_languages(folder: Path = WORDS) -> dict[str, Language]:
    """All languages by code, in the order of their files.

    Raises:
        ValueError: a language lacks a text that another one has.
    """
    languages = {
        path.stem: Language(code=path.stem, texts=_flat(tomllib.loads(path.read_text("utf-8"))))
        for path in sorted(folder.glob("*.toml"))
    }
    every = {
        key for language in languages.values() for key in language.texts if not key.startswith("reason.")
    }
    for language in languages.values():
        if lacking := every - language.texts.keys():
            raise ValueError(f"words/{language.code}.toml lacks {', '.join(sorted(lacking))}")
    return languages


def _flat(table: Mapping[str, object], above: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            texts |= _flat(value, f"{above}{key}.")
        else:
            texts[f"{above}{key}"] = str(value)
    return texts
