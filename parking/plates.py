"""Plates as they are compared: one normal form, which signs cameras take for one another, and who a read plate belongs to.

Theory. A camera misreads in few ways: O for 0, I for 1, B for 8. Two plates that differ only so may be one plate, or two cars; nothing in the
plates tells. So a reading is matched against the plates that are expected (the cars inside, at the exit), and the rule is:

    exactly one expected plate equals the reading             it is that one
    several do                                                nobody's: undecided
    none does, and exactly one differs by confusions alone    it is that one
    none does, and several differ so                          undecided: never two candidates

Undecided falls back to what the driver holds: a ticket, a code, or the help button. The normal form folds what is one plate written in two ways
(blanks, dots, hyphens, small letters, Cyrillic and Greek twins of Latin letters); it keeps what makes two plates (an umlaut, a caron). A
camera that lacks umlauts reads AO for AÖ: that is a confusion like the others.

Where the country is known its formats say which places hold letters and which digits, and a reading that fits in one way alone is put right.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Generic, TypeVar

from parking.plate_formats import alphabets

# Cyrillic and Greek capitals that look as a Latin one does, and are meant as it on plates of Bulgaria, Greece, Russia and Ukraine
TWINS = str.maketrans("АВЕІКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEIKMHOPCTYXABEZHIKMNOPTYX")
# pairs, and no classes: D is taken for 0, and O for 0, but D and O are told apart
PAIRS = ("0O", "0D", "0Q", "OQ", "1I", "2Z", "3E", "4A", "5S", "6G", "7T", "8B")
TAKEN_FOR: Mapping[str, frozenset[str]] = {
    sign: frozenset(other for pair in PAIRS if sign in pair for other in pair if other != sign)
    for sign in "".join(PAIRS)
}

MOST_PUT_RIGHT = 2

K = TypeVar("K", bound=Hashable)


class MatchKind(StrEnum):
    """How a reading was matched."""

    EXACT = "exact"
    CONFUSED = "confused"
    UNDECIDED = "undecided"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[K]):
    """Whose plate was read: `key` is None where that is undecided or nobody's."""

    kind: MatchKind
    key: K | None = None


def canonical(plate: str) -> str:
    """The normal form: capitals and digits alone, twins of Latin letters as Latin ones, diacritics kept."""
    composed = unicodedata.normalize("NFKC", plate).upper().translate(TWINS)
    return "".join(sign for sign in composed if sign.isalnum())


def is_confusable(one: str, other: str) -> bool:
    """Whether two plates in normal form differ, place by place, only by what cameras take for one another."""
    return len(one) == len(other) and all(
        a == b or _is_taken_for(a, b) for a, b in zip(one, other, strict=True)
    )


def match_plate(read: str, expected: Mapping[K, str]) -> Match[K]:
    """Whose plate `read` is among the `expected`, which are in normal form, by the rule above."""
    plate = canonical(read)
    exact = [key for key, form in expected.items() if form == plate]
    if exact:
        return _only(exact, MatchKind.EXACT)
    return _only([key for key, form in expected.items() if is_confusable(plate, form)], MatchKind.CONFUSED)


def is_plausible(plate: str, country: str) -> bool:
    """Whether a plate could be one of `country` (a key of `plate_formats.COUNTRIES`)."""
    form = canonical(plate)
    return any(_fits(form, places) for places in alphabets(country))


def settled(read: str, country: str) -> str | None:
    """The one plate of `country` that `read` can be, in normal form: itself where it fits a format, else put right by confusions.

    None where it fits no format with `MOST_PUT_RIGHT` signs read otherwise, or can be read as several plates.
    """
    form = canonical(read)
    if is_plausible(form, country):
        return form
    found = {plate for places in alphabets(country) if (plate := _put_right(form, places)) is not None}
    return found.pop() if len(found) == 1 else None


def _only(keys: list[K], kind: MatchKind) -> Match[K]:
    if not keys:
        return Match(kind=MatchKind.NONE)
    return Match(kind=kind, key=keys[0]) if len(keys) == 1 else Match(kind=MatchKind.UNDECIDED)


def _fits(form: str, places: tuple[frozenset[str], ...]) -> bool:
    return len(form) == len(places) and all(sign in place for sign, place in zip(form, places, strict=True))


def _put_right(form: str, places: tuple[frozenset[str], ...]) -> str | None:
    """The reading in this format: a sign that may not stand at its place is taken for the one that may; None where there is none, or a choice."""
    if len(form) != len(places):
        return None
    right = ""
    for sign, place in zip(form, places, strict=True):
        choices = {sign} & place or TAKEN_FOR.get(sign, frozenset()) & place
        if len(choices) != 1:
            return None
        right += next(iter(choices))
    changed = sum(was != now for was, now in zip(form, right, strict=True))
    return right if changed <= MOST_PUT_RIGHT else None


@lru_cache(maxsize=4_096)
def _is_taken_for(sign: str, other: str) -> bool:
    return other in TAKEN_FOR.get(sign, ()) or _bare(sign) == _bare(other)


def _bare(sign: str) -> str:
    """A letter without its diacritic."""
    return unicodedata.normalize("NFD", sign)[0]
