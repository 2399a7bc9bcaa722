"""The ledger on a terminal: 100 columns, marks that carry the meaning, colour only on top of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from edge.inspection import Inspection
from parking.trusted_time import ClockQuality

WIDTH = 100
LABEL = 22
PLAIN = str.maketrans({"✓": "+", "■": "#", "▲": "!", "─": "-"})
CODES = {"dim": "2", "bold": "1", "go": "32", "warn": "33", "stop": "31"}
MOST_DOUBTS_SHOWN = 20
FEWEST_OF_A_UNIT = 2
ENOUGH_FREE_BYTES = 200_000_000


class Screen:
    """Draws an inspection. `plain` is ASCII for old consoles."""

    def __init__(self, *, colour: bool, plain: bool) -> None:
        self._colour = colour and not plain
        self._plain = plain

    def draw(self, seen: Inspection) -> str:
        """The whole page, without a newline at its end."""
        lines = [
            *self._title(seen),
            *self._verdict(seen),
            *self._spaces(seen),
            *self._centre(seen),
            *self._doubts(seen),
            *self._box(seen),
        ]
        text = "\n".join([*lines, *self._events(seen), *self._to_fix(seen), "", self._foot()])
        return text.translate(PLAIN) if self._plain else text

    def _title(self, seen: Inspection) -> Iterator[str]:
        name = seen.settings.lot.name[:40]
        left = f"{self._in('bold', name)}  read while running, nothing was stopped"
        right = f"{_local(seen, seen.now):%a %d %b %Y, %H:%M:%S}"
        room = WIDTH - len(name) - len("  read while running, nothing was stopped") - len(right)
        yield left + " " * max(1, room) + self._in("dim", right)

    def _verdict(self, seen: Inspection) -> Iterator[str]:
        yield self._rule("Verdict")
        count = len(problems(seen))
        if seen.fenced:
            yield f" {self._in('stop', '■')} {self._in('bold', 'Nothing is sold.')} Exits and passes work."
        elif count:
            things = "1 thing" if count == 1 else f"{count} things"
            yield f" {self._in('warn', '▲')} {self._in('bold', 'The car park works.')} {things} to fix, below."
        else:
            yield f" {self._in('go', '✓')} {self._in('bold', 'The car park works.')}"

    def _spaces(self, seen: Inspection) -> Iterator[str]:
        yield self._rule("Spaces")
        yield self._in("dim", f" {'':<14}{'all':>7}{'taken':>7}{'booked':>8}{'seen':>7}{'to sell':>9}")
        for line in seen.types:
            row = f"{line.total:>7}{line.taken:>7}{line.booked:>8}{line.seen:>7}{line.sellable:>9}"
            yield f" {line.type:<14}{row}"
        totals = [
            sum(getattr(line, name) for line in seen.types)
            for name in ("total", "taken", "booked", "seen", "sellable")
        ]
        numbers = f"{totals[0]:>7}{totals[1]:>7}{totals[2]:>8}{totals[3]:>7}{totals[4]:>9}"
        yield f" {self._in('bold', 'all'.ljust(14) + numbers)}"
        oldest = (
            ""
            if seen.oldest_stay_at is None
            else f"       longest since {_local(seen, seen.oldest_stay_at):%a %d %b %H:%M}"
        )
        if seen.owned["edge"] < sum(seen.owned.values()):
            yield self._row("Who may sell them", self._owners(seen))
        over = f", {seen.over_count} over the count" if seen.over_count else ""
        yield self._row("Vehicles on record", f"{seen.open_stays:,}{over}{oldest}")

    def _owners(self, seen: Inspection) -> str:
        owned = seen.owned
        moving = f", {owned['in_flight']:,} on their way" if owned["in_flight"] else ""
        nobody = f"{owned['stranded']:,} nobody"
        stranded = f", {self._in('stop', nobody)}" if owned["stranded"] else ""
        here = f"{owned['edge']:,} this lot, {owned['cloud']:,} the centre{moving}{stranded}"
        return f"{here}       {seen.transferable:,} could go to the centre now"

    def _clock(self, seen: Inspection) -> Iterator[str]:
        clock = seen.clock
        if clock is None:
            return
        yield self._rule("Time")
        mark = "go" if clock.quality is ClockQuality.SYNCED else "warn"
        sure = "" if clock.drift_s is None else f"       right within {clock.drift_s:.1f} s"
        yield self._row("Quality", f"{self._in(mark, clock.quality.value)}{sure}")
        yield self._row("At least", f"{_local(seen, clock.lower_at):%a %d %b %Y, %H:%M:%S}")
        yield self._row("Machine's own clock", f"{clock.offset_s:+,.1f} s off")

    def _centre(self, seen: Inspection) -> Iterator[str]:
        yield from self._clock(seen)
        yield self._rule("To the centre")
        chain = self._in("go", "whole ✓") if seen.chain_whole else self._in("stop", "broken ■")
        first, last = seen.ends.acknowledged_seq + 1, seen.ends.last_seq
        if seen.settings.cloud is None:
            yield self._row("No centre", f"{last:,} records so far, chain {chain}")
        elif not seen.backlog:
            yield self._row("Records waiting", f"none       sequence {last:,}, chain {chain}")
        else:
            since = (
                ""
                if seen.oldest_waiting_at is None
                else f"oldest {_local(seen, seen.oldest_waiting_at):%H:%M:%S}, "
            )
            waiting = self._in("warn", f"{seen.backlog:,}")
            yield self._row(
                "Records waiting", f"{waiting}       {since}sequence {first:,} to {last:,}, chain {chain}"
            )
        if seen.outage_since is not None:
            yield self._row("Line down since", f"{_local(seen, seen.outage_since):%a %d %b %H:%M:%S}")
        if seen.documents:
            yield self._row("From the centre", ", ".join(seen.documents))

    def _doubts(self, seen: Inspection) -> Iterator[str]:
        """Bookings whose decision is not known here, by age; nothing where there never was one."""
        if not seen.transactions:
            return
        yield self._rule("Bookings in doubt")
        others = ", ".join(f"{count:,} {state}" for state, count in sorted(seen.transactions.items()))
        if not seen.doubts:
            yield self._row("In doubt", f"none       {others}")
            return
        yield self._row("In doubt", f"{self._in('warn', f'{len(seen.doubts):,}')}       {others}")
        for doubt in seen.doubts[:MOST_DOUBTS_SHOWN]:
            age = "" if doubt.since_at is None else _age((seen.now - doubt.since_at).total_seconds())
            starts = "" if doubt.starts_at is None else f"from {_local(seen, doubt.starts_at):%a %d %b %H:%M}"
            yield f" {age:>8}  {doubt.id:<39} {doubt.state:<12} {doubt.type:<10} {starts}"

    def _box(self, seen: Inspection) -> Iterator[str]:
        yield self._rule("This box")
        witness = "" if seen.witnessed_seq is None else f"       witness {seen.witnessed_seq:,}"
        yield self._row("Epoch", f"{seen.epoch}{witness}")
        used = seen.used_bytes / seen.settings.store.max_bytes
        yield self._row(
            "Ledger",
            f"{_bytes(seen.used_bytes)}, {used:.0%} of its bound; disk has {_bytes(seen.disk_free_bytes)} left",
        )
        if seen.quarantine_rows or seen.conflicts:
            yield self._row("Kept aside", f"{seen.quarantine_rows:,} records, {seen.conflicts:,} conflicts")

    def _events(self, seen: Inspection) -> Iterator[str]:
        yield self._rule("Last events")
        for event in seen.events:
            at = "        " if event.at is None else f"{_local(seen, event.at):%H:%M:%S}"
            yield f" {self._in('dim', at)} {event.seq:>9,}  {event.kind:<20} {event.about}"[
                : WIDTH + (9 if self._colour else 0)
            ]

    def _to_fix(self, seen: Inspection) -> Iterator[str]:
        found = problems(seen)
        if found:
            yield self._rule("To fix")
        for problem, fix in found:
            yield f" {self._in('stop', '■')} {problem}"
            yield f"   Fix: {fix}"

    def _foot(self) -> str:
        return self._in("dim", " --json for machines, --plain for ASCII")

    def _rule(self, title: str) -> str:
        rest = self._in("dim", "─" * (WIDTH - len(title) - 4))
        return f"{self._in('dim', '──')} {self._in('bold', title)} {rest}"

    def _row(self, label: str, text: str) -> str:
        return f" {label:<{LABEL}}{text}"

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if self._colour else text


def problems(seen: Inspection) -> tuple[tuple[str, str], ...]:
    """What a person should look at, each with its fix."""
    found: list[tuple[str, str]] = []
    if seen.fenced:
        found.append((f"Fenced: {seen.fenced}.", "count the cars in the lot and tell the centre."))
    if seen.owned["stranded"]:
        found.append(
            (
                f"{seen.owned['stranded']:,} spaces on their way since an earlier gateway: nobody sells them.",
                "count the cars in the lot and tell the centre.",
            )
        )
    if not seen.chain_whole:
        found.append(
            (
                "The log is no longer one chain.",
                "restart the agent: it keeps damaged records aside and says which.",
            )
        )
    found += [(f"Not readable: {loss}.", "keep the file and ask for help.") for loss in seen.losses]
    if seen.used_bytes >= seen.settings.store.max_bytes:
        found.append(
            (
                "The ledger holds all it may; nothing is sold.",
                "get the line to the centre up, or raise store.max_bytes.",
            )
        )
    if seen.disk_free_bytes < ENOUGH_FREE_BYTES:
        found.append((f"The disk has {_bytes(seen.disk_free_bytes)} left.", "make room on it."))
    found += [
        (f"Kept aside: {record}.", "compare the device's settings with lot.toml.")
        for record in seen.quarantine
    ]
    return tuple(found)


def _local(seen: Inspection, at: datetime) -> datetime:
    return at.astimezone(seen.settings.lot.timezone)


def _age(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3_600
    for amount, unit in ((hours / 24, "d"), (hours, "h"), (minutes, "min")):
        if amount >= FEWEST_OF_A_UNIT:
            return f"{amount:.0f} {unit}"
    return f"{seconds:.0f} s"


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
