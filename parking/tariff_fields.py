"""Reading one table of a tariff document: every value by its key, every fault with its path, what is wrong and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from parking.civil_time import DAY_MIN, WEEKDAYS, Window
from parking.errors import InvalidTariff
from parking.money import exact_minor, in_major, minor_digits

Choice = TypeVar("Choice", bound=StrEnum)

CLOCK = re.compile(r"(?:(?P<weekday>[A-Za-z]{3}) )?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})")
EXACT = re.compile(r"[0-9]{1,40}(?:/[1-9][0-9]{0,39})?")


@dataclass(slots=True, kw_only=True)
class Fields:
    """One table and its path in the document. Keys are noted as they are asked for; `no_others` refuses the rest.

    Raises:
        InvalidTariff: by every method, where the value is missing or not what the method reads.
    """

    values: Mapping[str, object]
    path: str
    currency: str
    day_names: tuple[str, ...]
    asked: set[str] = field(default_factory=set)

    def wrong(self, key: str, problem: str, fix: str) -> InvalidTariff:
        """What to raise about the value of a key."""
        return InvalidTariff(f"{self.path}.{key}" if self.path else key, problem, fix)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self.asked.add(key)
        return key in self.values

    def text(self, key: str, default: str | None = None, *, like: str) -> str:
        """A text that is not empty; `like` shows one."""
        value = self.values[key] if self.has(key) else default
        if value is None:
            raise self.wrong(key, "is missing", f'add it, as in {key} = "{like}"')
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, f"{value!r} is not a text", f'write it in quotes, as in {key} = "{like}"')
        return value

    def whole(self, key: str, *, least: int = 0, like: int) -> int | None:
        """A whole number of at least `least`, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self.values[key]
        if type(value) is not int or value < least:
            fix = f"write a whole number of at least {least}, as in {key} = {like}"
            raise self.wrong(key, f"{value!r} is not one", fix)
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where the key is absent."""
        value = self.values[key] if self.has(key) else False
        if not isinstance(value, bool):
            raise self.wrong(key, f"{value!r} is neither", f"write {key} = true or leave it out")
        return value

    def choice(self, key: str, kind: type[Choice], default: Choice) -> Choice:
        """One of the words of an enumeration."""
        value = self.values[key] if self.has(key) else default
        for word in kind:
            if value == word:
                return word
        raise self.wrong(key, f"{value!r} is not known", f"choose one of {', '.join(kind)}")

    def amount(self, key: str) -> Fraction | None:
        """Money: `key` in quotes as people write it ("2.50", "1.13/30"), or `key`_minor in minor units (250, "113/30")."""
        in_minor = f"{key}_minor"
        if self.has(key) and self.has(in_minor):
            raise self.wrong(key, f"and {in_minor} are both there", "keep one of them")
        if self.has(in_minor):
            return self._exact_minor(in_minor, self.values[in_minor])
        if not self.has(key):
            return None
        value = self.values[key]
        example = in_major(10 ** minor_digits(self.currency) * 5 // 2, self.currency)
        if not isinstance(value, str):
            fix = f'write it in quotes, so that it stays exact, as in {key} = "{example}"'
            raise self.wrong(key, f"{value!r} is a bare number", fix)
        try:
            return exact_minor(value.strip(), self.currency)
        except ValueError as error:
            fix = f'write {self.currency} as in "{example}", or a quotient as in "1.13/30" for a 30th of 1.13'
            raise self.wrong(key, f"{value!r} is not an amount", fix) from error

    def _exact_minor(self, key: str, value: object) -> Fraction:
        if type(value) is int and value >= 0:
            return Fraction(value)
        if isinstance(value, str) and EXACT.fullmatch(value):
            return Fraction(value)
        raise self.wrong(
            key, f"{value!r} is not in minor units", f'write as in {key} = 250 or {key} = "113/30"'
        )

    def table(self, key: str) -> Fields | None:
        """A table inside this one, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self.values[key]
        if not isinstance(value, Mapping):
            raise self.wrong(key, f"{value!r} is not a table", f"write {key} = {{ … }}")
        return self._inside(value, key)

    def tables(self, key: str) -> Iterator[Fields]:
        """The tables of a list, paths counted from 1; none where the key is absent."""
        values = self.values[key] if self.has(key) else []
        if not isinstance(values, list):
            fix = f"write {key} = [{{ … }}, …]" if self.path else f"begin each with a line [[{key}]]"
            raise self.wrong(key, "is not a list of tables", fix)
        for number, value in enumerate(values, start=1):
            if not isinstance(value, Mapping):
                raise self.wrong(f"{key}[{number}]", f"{value!r} is not a table", "write { … }")
            yield self._inside(value, f"{key}[{number}]")

    def _inside(self, values: Mapping[str, object], key: str) -> Fields:
        path = f"{self.path}.{key}" if self.path else key
        return Fields(values=values, path=path, currency=self.currency, day_names=self.day_names)

    def words(self, key: str, known: Iterable[str]) -> frozenset[str] | None:
        """Some of the known words, as a list or as one text with commas; None where the key is absent."""
        if not self.has(key):
            return None
        known = tuple(known)
        chosen = set()
        for word in self._split(key):
            if word not in known:
                near = get_close_matches(word, known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise self.wrong(key, f"{word!r} is not known", f"{hint}choose from {', '.join(known)}")
            chosen.add(word)
        return frozenset(chosen)

    def _split(self, key: str) -> list[str]:
        value = self.values[key]
        words = value.split(",") if isinstance(value, str) else value
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise self.wrong(key, f"{value!r} is not a list of words", f'write as in {key} = "one, two"')
        return [word.strip() for word in words]

    def days(self, key: str) -> frozenset[str] | None:
        """Days as in "Mon-Fri, PH": weekdays, spans of them, and the names of special-day lists; None (every day) where absent."""
        if not self.has(key):
            return None
        chosen: set[str] = set()
        for word in self._split(key):
            first, dash, last = (part.strip() for part in word.partition("-"))
            ends = [end.capitalize() for end in ((first, last) if dash else (first, first))]
            if set(ends) <= set(WEEKDAYS):
                start, stop = (WEEKDAYS.index(end) for end in ends)
                chosen.update(WEEKDAYS[(start + offset) % 7] for offset in range((stop - start) % 7 + 1))
            elif word in self.day_names:
                chosen.add(word)
            else:
                lists = f" or one of your lists {', '.join(self.day_names)}" if self.day_names else ""
                fix = f"write Mon … Sun, a span as in Mon-Fri{lists}"
                if word.isalpha() and word not in self.day_names:
                    fix += f"; if {word} are special days, list their dates: [special_days] {word} = [2024-12-25]"
                raise self.wrong(key, f"{word!r} is not a day", fix)
        return frozenset(chosen)

    def window(self) -> Window | None:
        """The hours that `days`, `from` and `until` of this table describe; None where all three are absent."""
        days = self.days("days")
        if self.has("from") != self.has("until"):
            missing = "until" if self.has("from") else "from"
            raise self.wrong(
                missing, "is missing", "give from and until together (00:00 and 24:00 for a whole day)"
            )
        if not self.has("from"):
            return None if days is None else Window(days=days)
        from_day, from_min = self._clock("from")
        until_day, until_min = self._clock("until")
        if from_min == DAY_MIN:
            raise self.wrong("from", "24:00 is the end of a day", 'write "00:00" of the day after')
        if (from_day is None) != (until_day is None):
            raise self.wrong(
                "until", "names a weekday on one side only", 'write both, as in "Fri 18:00", or none'
            )
        if from_day is None or until_day is None:
            return self._daily(days, from_min, until_min)
        if days is not None:
            raise self.wrong("days", "and weekdays in from and until contradict", "keep one of the two")
        span = (WEEKDAYS.index(until_day) - WEEKDAYS.index(from_day)) % 7 * DAY_MIN + until_min
        last_min = span if span > from_min else span + 7 * DAY_MIN
        return Window(days=frozenset({from_day}), from_min=from_min, until_min=last_min, whatever_day=True)

    def _daily(self, days: frozenset[str] | None, from_min: int, until_min: int) -> Window:
        return Window(
            days=days, from_min=from_min, until_min=until_min if until_min > from_min else until_min + DAY_MIN
        )

    def _clock(self, key: str) -> tuple[str | None, int]:
        value = self.values[key]
        found = CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
        weekday = found and found["weekday"] and found["weekday"].capitalize()
        minute = int(found["hour"]) * 60 + int(found["minute"]) if found else DAY_MIN + 1
        if (
            not found
            or minute > DAY_MIN
            or int(found["minute"]) > 59
            or (weekday and weekday not in WEEKDAYS)
        ):
            fix = f'write it in quotes, as in {key} = "18:00" or {key} = "Fri 18:00" (24:00 ends a day)'
            raise self.wrong(key, f"{value!r} is not a time of day", fix)
        return weekday or None, minute

    def dates(self, key: str) -> frozenset[date]:
        """A list of dates, as TOML dates or as text."""
        self.has(key)
        values = self.values[key]
        if not isinstance(values, list):
            raise self.wrong(key, "is not a list", f"write {key} = [2024-12-25, 2024-12-26]")
        return frozenset(
            self._date(f"{key}[{number}]", value) for number, value in enumerate(values, start=1)
        )

    def day(self, key: str) -> date | None:
        """One date, or None where the key is absent."""
        return self._date(key, self.values[key]) if self.has(key) else None

    def _date(self, key: str, value: object) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError as error:
            raise self.wrong(key, f"{value} is not a date", "write it as in 2024-12-25") from error

    def no_others(self) -> None:
        """Refuse every key that nobody asked for: a misspelt one would silently change the price."""
        for key in self.values:
            if key not in self.asked:
                near = get_close_matches(key, sorted(self.asked), n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                fix = f"{hint}known here: {', '.join(sorted(self.asked))}"
                raise self.wrong(key, "is not a key of this table", fix)
