"""Which seeds of a long proof have passed, so that a run which was broken off goes on where it was.

One line a seed in `.lotgate-proofs/NAME.jsonl`, which git ignores: the seed, the sources it passed on, the commit that they are nearest to, how long it took and what it
told. A seed is passed only for the very sources that it ran on; where any of them changes, it is run again.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("parking", "sync", "drivers", "edge", "cloud", "simulators", "tests/proof")


@dataclass(frozen=True)
class Remembered:
    """The passed seeds of the proof `name`."""

    name: str
    folder: Path = ROOT / ".lotgate-proofs"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @cached_property
    def sources(self) -> str:
        """A fingerprint of all sources that are under test, and of those that test them, as this process began with them."""
        files = sorted(
            path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".sql"}
        )
        return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]

    def before(self, seed: int) -> str | None:
        """What this seed told when it passed on these sources; None where it did not yet."""
        if not self.file.exists():
            return None
        lines = [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]
        told = [
            f"{line['told']} in {line['seconds']} s at {line['commit']}"
            for line in lines
            if (line["seed"], line["sources"]) == (seed, self.sources)
        ]
        return told[-1] if told else None

    def passed(self, seed: int, told: str, seconds: float) -> None:
        """Write it down."""
        self.folder.mkdir(exist_ok=True)
        line = {
            "seed": seed,
            "sources": self.sources,
            "commit": _commit(),
            "seconds": round(seconds, 1),
            "told": told,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
