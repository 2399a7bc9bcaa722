"""Feeds a decoder for a while and measures it: `MalformedInput` is an answer; all else is a find.

A find is an exception of another kind, a call that takes more of the processor's time than `LONGEST_CALL_S` (an alarm ends it, so that a hang has a traceback), or
one that takes more memory than `LARGEST_MEMORY_BYTES` and some hundred bytes for each of its input. Memory is measured with one
input of `MEASURED_EACH`, for it slows the call down; the growth of the process is looked at over all of them.

A round is one run of Hypothesis with the round's number as its seed, so a find replays. Progress is kept in a file of each decoder after each round: what was
interrupted goes on where it was, and a decoder whose sources have changed since begins anew.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, seed, settings

from drivers.errors import MalformedInput
from tests.fuzz.decoders import Fuzzed
from tests.fuzz.inputs import inputs

ROOT = Path(__file__).parents[2]
PROGRESS = ROOT / ".fuzz-progress"
LONGEST_CALL_S = 5
LARGEST_MEMORY_BYTES = 16 * 1024 * 1024
MEMORY_FOR_A_BYTE = 400
LARGEST_GROWTH_BYTES = 256 * 1024 * 1024
MEASURED_EACH = 25
INPUTS_A_ROUND = 1_000


class Hang(AssertionError):
    """A call took too long."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was seen of one decoder; the slowest call in milliseconds of the processor, `sources` is a digest of the code that was fuzzed."""

    sources: str = ""
    rounds: int = 0
    seconds: float = 0.0
    inputs: int = 0
    slowest_ms: float = 0.0
    largest_kib: float = 0.0


def fuzz(decoder: Fuzzed, figures: Figures, *, rounds: int, inputs_a_round: int = INPUTS_A_ROUND) -> None:
    """Run some rounds, the next ones of `figures`, which is kept up to date.

    Raises:
        Exception: what the decoder did that it must not, with the input that made it do so.
    """
    for _ in range(rounds):
        began = time.monotonic()
        before = _resident_bytes()
        _round(decoder, figures, inputs_a_round)
        assert _resident_bytes() - before < LARGEST_GROWTH_BYTES, "memory grows from call to call"
        figures.rounds += 1
        figures.seconds += time.monotonic() - began


def _round(decoder: Fuzzed, figures: Figures, inputs_a_round: int) -> None:
    @seed(figures.rounds)
    @settings(
        max_examples=inputs_a_round,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(decoder.seeds))
    def feed(data: bytes) -> None:
        figures.inputs += 1
        with _alarm(data):
            began = time.thread_time()
            _call(decoder, data)
            figures.slowest_ms = max(figures.slowest_ms, (time.thread_time() - began) * 1_000)
        if zlib.crc32(data) % MEASURED_EACH == 0:
            peak = _peak_bytes(decoder, data)
            figures.largest_kib = max(figures.largest_kib, peak / 1_024)
            assert peak <= LARGEST_MEMORY_BYTES + MEMORY_FOR_A_BYTE * len(data), (
                f"{peak} bytes for {len(data)}"
            )

    feed()


def _call(decoder: Fuzzed, data: bytes) -> None:
    try:
        decoder.decode(data)
    except MalformedInput as refused:
        well_said = refused.field and refused.problem and "\n" not in refused.problem
    else:
        well_said = True
    assert well_said, "a refusal names its field, and its problem in one line"


def _peak_bytes(decoder: Fuzzed, data: bytes) -> int:
    tracemalloc.start()
    try:
        _call(decoder, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@contextmanager
def _alarm(data: bytes) -> Iterator[None]:
    """Of the processor's time, for a busy machine is no hang."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {LONGEST_CALL_S} s for {len(data)} bytes: {data[:80].hex()}…")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_CALL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def sources() -> str:
    """A digest of all decoding code and of this harness."""
    digest = hashlib.sha256()
    for folder in ("drivers", "edge/decode_formats", "tests/fuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def progress(name: str) -> Figures:
    """What was done so far of one decoder, with the sources as they are."""
    path, now = _file(name), sources()
    if path.exists():
        kept = Figures(**json.loads(path.read_text(encoding="utf-8")))
        if kept.sources == now:
            return kept
    return Figures(sources=now)


def keep(name: str, figures: Figures) -> None:
    """Write what was done of one decoder."""
    PROGRESS.mkdir(exist_ok=True)
    new = _file(name).with_suffix(".new")
    new.write_text(json.dumps(asdict(figures)), encoding="utf-8")
    new.replace(_file(name))


def _file(name: str) -> Path:
    return PROGRESS / f"{name.replace('/', '-').replace(' ', '-')}.json"
