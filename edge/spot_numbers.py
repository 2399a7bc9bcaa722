"""Painted numbers from ranges: `["001-120"]` with the prefix "A-" is A-001 … A-120."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.lot_file import MOST_SPOTS, SpotsTable
from parking.ids import LotId, ZoneId, spot_id
from parking.lot import Spot

RANGE = re.compile(r"(\d{1,6})-(\d{1,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberProblem:
    """What is wrong with the spots, and where."""

    where: tuple[str | int, ...]
    problem: str
    fix: str


def numbered_spots(
    lot: str, tables: Iterable[SpotsTable], zones: frozenset[str]
) -> tuple[tuple[Spot, ...], tuple[NumberProblem, ...]]:
    """The spots in the order they are painted, and what is wrong with them."""
    spots: dict[str, Spot] = {}
    problems: list[NumberProblem] = []
    for index, table in enumerate(tables):
        where = ("spots", index)
        if table.zone not in zones:
            problems.append(_unknown_zone(where, table.zone, zones))
        problems += [
            NumberProblem(
                where=(*where, "numbers"),
                problem=f"{entry!r} runs backwards.",
                fix="write the lower one first.",
            )
            for entry in table.numbers
            if (span := RANGE.fullmatch(entry)) is not None and int(span[2]) < int(span[1])
        ]
        twice = [number for number in painted(table) if not _paint(spots, lot, table, number)]
        if twice:
            problem = (
                f"{twice[0]!r} is painted twice{f', as are {len(twice) - 1} more' if len(twice) > 1 else ''}."
            )
            problems.append(
                NumberProblem(where=(*where, "numbers"), problem=problem, fix="paint each number once.")
            )
        if len(spots) > MOST_SPOTS:
            fix = "split the lot."
            problem = f"more than {MOST_SPOTS} spots."
            problems.append(NumberProblem(where=(*where, "numbers"), problem=problem, fix=fix))
            break
    return tuple(spots.values()), tuple(problems)


def painted(table: SpotsTable) -> Iterator[str]:
    """The numbers of one table, prefix included, as many as a lot may have."""
    for entry in table.numbers:
        span = RANGE.fullmatch(entry)
        if span is None:
            yield f"{table.prefix}{entry}"
            continue
        first, last = int(span[1]), min(int(span[2]), int(span[1]) + MOST_SPOTS)
        for number in range(first, last + 1):
            yield f"{table.prefix}{number:0{len(span[1])}}"


def _paint(spots: dict[str, Spot], lot: str, table: SpotsTable, number: str) -> bool:
    if number in spots:
        return False
    spots[number] = Spot(
        id=spot_id(LotId(lot), number), zone=ZoneId(table.zone), number=number, type=table.type
    )
    return True


def _unknown_zone(where: tuple[str | int, ...], zone: str, zones: frozenset[str]) -> NumberProblem:
    fix = f"use one of: {', '.join(sorted(zones))}."
    return NumberProblem(where=(*where, "zone"), problem=f"there is no zone {zone!r}.", fix=fix)
