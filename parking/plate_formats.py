"""How plates are made up in each country: which places hold letters, which digits, and which letters are never used.

A format is written as it is read aloud: `L` a letter that the country uses, `D` a digit, `N` a digit but 0, `[EH]` one of these; a number or a
range says how many of it. Blanks only part the words. `L2 D2 L3` is two letters, two digits, three letters.

Source: general knowledge of the formats, as the collection of synthetic plates that the project was given (plates.csv, 77 plates of 60
countries and states) records them; not checked against each authority. A country that is not here has no formats: its plates are compared,
never put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from string import ascii_uppercase, digits

TOKEN = re.compile(r"(L|D|N|\[[^\]]+\])([0-9](?:-[0-9])?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateFormats:
    """The formats of one country, and the letters that its plates do not use (`never`) or use besides A to Z (`also`)."""

    formats: tuple[str, ...]
    never: str = ""
    also: str = ""


def _of(*formats: str, never: str = "", also: str = "") -> PlateFormats:
    return PlateFormats(formats=formats, never=never, also=also)


COUNTRIES: Mapping[str, PlateFormats] = {
    "GB": _of("L2 D2 L3", "L N D0-2 L3", "L3 N D0-2 L", never="IQ"),
    "GB-NIR": _of("L3 N D0-3"),
    "DE": _of("L2-5 N D0-3", "L2-5 N D0-2 [EH]", "[0] D5-6", also="ÄÖÜ"),
    "FR": _of("L2 D3 L2", "N D0-3 L2-3 D2", never="IOU"),
    "IT": _of("L2 D3 L2", never="IOQU"),
    "ES": _of("D4 L3", "L1-2 D4 L1-2", never="QÑ"),
    "PT": _of("L2 D2 L2", "D4 L2", "L2 D4", "D2 L2 D2"),
    "NL": _of(
        "L2 D3 L",
        "D L3 D2",
        "L2 D4",
        "D4 L2",
        "D2 L2 D2",
        "L2 D2 L2",
        "L4 D2",
        "D2 L4",
        "L3 D2 L",
        "L D3 L2",
        "D3 L2 D",
        "L D2 L3",
    ),
    "BE": _of("D L3 D3"),
    "LU": _of("L2 D4"),
    "CH": _of("L2 N D0-5"),
    "LI": _of("[F] [L] N D0-4"),
    "AT": _of("L1-2 N D0-4 L1-3", "L1-2 L1-5 N D0-3"),
    "PL": _of("L2-3 D4-5", "L2-3 D4 L", "L2-3 D3 L2"),
    "CZ": _of("D L D5", "D L D L D3", never="GOQW"),
    "SK": _of("L2 D3 L2"),
    "HU": _of("L4 D3", "L3 D3"),
    "SI": _of("L2 L2 D3", "L2 D3 L2", "L2 D2 D L2", "L2 L D3 L", also="ČŠŽ"),
    "HR": _of("L2 D3-4 L1-2", also="ČĆŠŽĐ"),
    "RS": _of("L2 D3-4 L2", also="ČĆŠŽĐ"),
    "RO": _of("[B] D2-3 L3", "L2 D2 L3"),
    "BG": _of("L1-2 D4 L2"),
    "GR": _of("L3 D4"),
    "RU": _of("L D3 L2 D2-3"),
    "UA": _of("L2 D4 L2"),
    "MK": _of("L2 D4 L2"),
    "AL": _of("L2 D3 L2"),
    "DK": _of("L2 D5"),
    "SE": _of("L3 D3", "L3 D2 L", never="IQV"),
    "NO": _of("L2 D5"),
    "FI": _of("L3 D1-3", "L2 D1-3", also="ÅÄÖ"),
    "EE": _of("D3 L3"),
    "LV": _of("L2 D1-4"),
    "LT": _of("L3 D3"),
    "IS": _of("L2 D3", "L2 L D2"),
    "IE": _of("D2-3 L1-2 N D0-5"),
    "MT": _of("L3 D3"),
    "CY": _of("L3 D3"),
    "TR": _of("D2 L D4-5", "D2 L2 D3-4", "D2 L3 D2-3"),
    "US-CA": _of("N L3 D3"),
    "US-NY": _of("L3 D4"),
    "US-TX": _of("L3 D4", never="O"),
    "CA-ON": _of("L4 D3", never="GIOQU"),
    "CA-QC": _of("L D2 L3"),
    "MX": _of("L3 D4"),
    "BR": _of("L3 D L D2", "L3 D4"),
    "AR": _of("L2 D3 L2"),
    "AU-VIC": _of("D L2 D L2"),
    "AU-NSW": _of("L2 D2 L2"),
    "NZ": _of("L3 D3"),
    "FJ": _of("L2 D3"),
    "SG": _of("L3 D4 L"),
    "HK": _of("L2 N D0-3", never="IOQ"),
    "TW": _of("L3 D4", never="IO"),
    "IN": _of("L2 D2 L1-2 D4"),
    "ZA": _of("L2 D6", "L2 D2 L2 [G] [P]"),
    "IL": _of("D7-8"),
    "AE": _of("L1-2 N D0-4"),
}

# ISO 3166 alpha-3, which some cameras say
ALPHA_3: Mapping[str, str] = {
    "AUT": "AT", "BEL": "BE", "BGR": "BG", "CHE": "CH", "CZE": "CZ", "DEU": "DE", "DNK": "DK", "ESP": "ES", "EST": "EE",
    "FIN": "FI", "FRA": "FR", "GBR": "GB", "GRC": "GR", "HRV": "HR", "HUN": "HU", "IRL": "IE", "ITA": "IT", "LTU": "LT",
    "LUX": "LU", "LVA": "LV", "NLD": "NL", "NOR": "NO", "POL": "PL", "PRT": "PT", "ROU": "RO", "SRB": "RS", "SVK": "SK",
    "SVN": "SI", "SWE": "SE", "TUR": "TR", "UKR": "UA",
}  # fmt: skip


def country_of(word: str | None) -> str | None:
    """The country (or state) that a camera's word names, where its formats are known; `gb`, `GBR` and `ca-qc` are such words."""
    if word is None:
        return None
    code = ALPHA_3.get(word.upper(), word.upper())
    return code if code in COUNTRIES else None


@cache
def alphabets(country: str) -> tuple[tuple[frozenset[str], ...], ...]:
    """Every format of a country, written out place by place as the signs that may stand there."""
    of = COUNTRIES[country]
    letters = frozenset(ascii_uppercase) - frozenset(of.never) | frozenset(of.also)
    return tuple(places for text in of.formats for places in _written_out(text, letters))


def _written_out(text: str, letters: frozenset[str]) -> Iterator[tuple[frozenset[str], ...]]:
    signs = {"L": letters, "D": frozenset(digits), "N": frozenset("123456789")}
    words = []
    for token, count in TOKEN.findall(text):
        least, _, most = (count or "1").partition("-")
        places = signs.get(token) or frozenset(token.strip("[]"))
        words.append([(places,) * times for times in range(int(least), int(most or least) + 1)])
    for choice in product(*words):
        yield tuple(place for word in choice for place in word)
