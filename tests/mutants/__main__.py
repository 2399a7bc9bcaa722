"""`python -m tests.mutants`: run every mutant, or those whose names are given, print the table and write docs/mutants.md (a full run alone).

Exit 0 where at least 95 % are caught and none is unclear.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.running import ROOT, Result, Verdict, run, run_unbroken
from tests.mutants.table import BREAKS

DOCUMENT = ROOT / "docs" / "mutants.md"
LEAST_CAUGHT = 0.95
HEAD = """# Mutants of the implementation

One thing broken on purpose at a time, in a copy of the tree, and the tests that must notice it. Written by `python -m tests.mutants`
(tests/mutants/table.py has the breaks); the tests pass where nothing is broken, which is run first.

"""


def main(arguments: Sequence[str]) -> int:
    """Run them; see above."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("names", nargs="*", help="mutants by name; all where none is named")
    parser.add_argument("--at-once", type=int, default=1, help="how many run beside each other (default: 1)")
    asked = parser.parse_args(arguments)
    chosen = [broken for broken in BREAKS if not asked.names or broken.name in asked.names]
    whole, said = run_unbroken(sorted({test for broken in chosen for test in broken.tests}))
    if not whole:
        sys.stdout.write(f"these tests fail without any break:\n{said[-3000:]}\n")
        return 2
    results = []
    with ThreadPoolExecutor(asked.at_once) as pool:
        for result in pool.map(run, chosen):
            results.append(result)
            sys.stdout.write(
                f"{result.verdict:<9}{result.seconds:6.1f} s  {result.broken.name}  {result.by}\n"
            )
            sys.stdout.flush()
    counts = Counter(result.verdict for result in results)
    sys.stdout.write(f"{counts[Verdict.CAUGHT]} of {len(results)} caught\n")
    if not asked.names:
        write(DOCUMENT, results)
    enough = counts[Verdict.CAUGHT] >= LEAST_CAUGHT * len(results) and not counts[Verdict.UNCLEAR]
    return 0 if enough else 1


def write(path: Path, results: Iterable[Result]) -> None:
    """The document, from a full run."""
    rows = list(results)
    caught = sum(result.verdict is Verdict.CAUGHT for result in rows)
    lines = [
        f"{caught} of {len(rows)} caught.\n",
        "| what is broken | where | verdict | s | by |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {result.broken.name} | `{result.broken.path}` | {result.verdict} | {result.seconds:.0f} | {_short(result.by)} |"
            for result in rows
        ),
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _short(test: str) -> str:
    return test.partition("[")[0].replace("test_", "", 1).replace("_", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
