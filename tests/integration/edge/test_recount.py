"""`lotgate edge recount`, typed at a lot whose agent runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.cli import main
from edge.recount_command import RecountFailed, read_counts
from sync.events import EventKind
from tests.integration.edge.agent_site import TOKENS, site_at


def typed(folder: Path, *cars: str) -> list[str]:
    who = ["--by", "Anna", "--reason", "night walk"]
    return ["edge", "recount", "--config", str(folder / "lot.toml"), *who, *cars]


async def test_what_a_person_types_in_is_what_the_running_agent_has_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with site_at(tmp_path) as site:
        monkeypatch.setenv("LOTGATE_STAFF_TOKEN", TOKENS["staff"])
        assert await asyncio.to_thread(main, typed(tmp_path, "regular=4")) == 0
        assert capsys.readouterr().out == (
            "regular: 4 counted, 0 were on record\n0 stays closed, 4 opened, 1 of them over the count\n"
        )
        assert (await site.status())["ledger"]["open_stays"] == 4
        token = tmp_path / "staff.token"
        token.write_text(f"{TOKENS['staff']}\n")
        with_file = [*typed(tmp_path, "regular=1"), "--token-file", str(token)]
        assert await asyncio.to_thread(main, with_file) == 0
        assert (await site.status())["ledger"]["open_stays"] == 1
        assert [body["counted"] for body in site.log(EventKind.RECOUNT)] == [{"regular": 4}, {"regular": 1}]
        figures = (await site.api.get("/metrics")).text
        assert 'lotgate_edge_recounts_total{what="closed"} 3.0' in figures

        capsys.readouterr()
        assert await asyncio.to_thread(main, typed(tmp_path, "regular=7")) == 1
        assert "refused (422): So many regular cars do not fit" in capsys.readouterr().err
        monkeypatch.setenv("LOTGATE_STAFF_TOKEN", TOKENS["kiosk-in"])
        assert await asyncio.to_thread(main, typed(tmp_path, "regular=0")) == 1
        assert "refused (403)" in capsys.readouterr().err
        monkeypatch.delenv("LOTGATE_STAFF_TOKEN")
        assert await asyncio.to_thread(main, typed(tmp_path, "regular=0")) == 1
        assert "LOTGATE_STAFF_TOKEN" in capsys.readouterr().err
        assert (await site.status())["ledger"]["open_stays"] == 1

        await site.agent.stop()
        monkeypatch.setenv("LOTGATE_STAFF_TOKEN", TOKENS["staff"])
        assert await asyncio.to_thread(main, typed(tmp_path, "regular=0")) == 1
        assert "Does it run?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cars", "said"),
    [
        ("lorry=1", "none of regular"),
        ("regular", "no number"),
        ("regular=-1", "no number"),
        ("regular=many", "no number"),
        ("regular=²", "no number"),
        ("regular=1000000", "no number"),
    ],
)
def test_a_word_that_is_no_count_is_named(cars: str, said: str) -> None:
    with pytest.raises(RecountFailed, match=said):
        read_counts([cars])


def test_a_type_is_counted_once() -> None:
    assert read_counts(["regular=23", "ev=0"]) == {"regular": 23, "ev": 0}
    with pytest.raises(RecountFailed, match="stands twice"):
        read_counts(["ev=1", "ev=2"])
