"""Complaint row 3: whatever the path, a claim is made under the constraint, and the list of statements that make one is short."""

from __future__ import annotations

import re
from pathlib import Path

import cloud

ROOT = Path(cloud.__file__).parent
MAKES = re.compile(r"INSERT\s+INTO\s+claims\b", re.IGNORECASE)
OUTSIDE = {"claims_put_on"}
"""Facts of the lots: what they tell is kept even where it clashes, outside the constraint and in `conflicts`."""


def statements() -> dict[str, str]:
    """Every named statement of the centre."""
    found: dict[str, str] = {}
    for path in ROOT.rglob("queries.sql"):
        for block in path.read_text().split("-- name: ")[1:]:
            name, _, text = block.partition("\n")
            found[f"{path.parent.name}.{name}"] = text
    return found


def test_every_statement_that_makes_a_claim_says_what_becomes_of_an_overlap() -> None:
    making = {name: text for name, text in statements().items() if MAKES.search(text)}
    assert {
        "reservations.own_spot_take",
        "reservations.claim_make_firm",
        "reservations.claims_put_on",
    } <= set(making)
    for name, text in making.items():
        assert "ON CONFLICT" in text, name


def test_only_facts_may_stand_outside_the_constraint() -> None:
    for name, text in statements().items():
        sets_clashing = re.search(r"clashing\s*=\s*true", text.split("WHERE")[0], re.IGNORECASE)
        assert not sets_clashing, name
        if MAKES.search(text) and re.search(r"\bclashing\b", text.split("SELECT")[0]):
            assert name.rpartition(".")[2] in OUTSIDE, name


def test_no_program_of_the_centre_writes_sql_of_its_own_to_the_claims() -> None:
    for path in ROOT.rglob("*.py"):
        if "migrations" not in path.parts:
            assert not MAKES.search(path.read_text()), path


def test_the_constraint_is_not_deferrable_and_covers_every_claim_that_binds() -> None:
    text = (ROOT / "migrations" / "versions" / "0001_one_lot.py").read_text()
    constraint = text[text.index("claims_never_overlap") :][:160]
    assert "EXCLUDE USING gist (spot_id WITH =, during WITH &&)" in constraint
    assert "state IN ('held', 'firm') AND NOT clashing" in constraint
    assert "DEFERRABLE" not in constraint.upper()
