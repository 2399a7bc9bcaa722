"""What the documents tell a reader to write or to type, written and typed."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from cloud.app import build_app
from cloud.bootstrap import build_cloud
from cloud.settings import CloudSettings
from drivers.errors import MalformedInput
from edge.api.app import make_app
from edge.api.booking_desk import BookingDesk
from edge.api.camera_endpoints import Cameras
from edge.api.desk import Desk
from edge.api.doubt_endpoints import DoubtDesk
from edge.api.pages.renderer import Site
from edge.api.recount_endpoints import RecountDesk
from edge.api.sensor_endpoints import Sensors
from parking.clock import Clock
from tests.unit.edge.api.scenes import STATUS

ROOT = Path(__file__).parents[2]


def decoder_of_the_documents() -> ModuleType:
    """The module that docs/drivers.md shows as the smallest decoder."""
    text = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(\"\"\"Acme.*?)```", text, re.DOTALL)
    module = ModuleType("acme_spot1")
    exec(compile(code, "docs/drivers.md", "exec"), module.__dict__)  # noqa: S102 - the documents are ours
    return module


def test_the_decoder_that_the_documents_show_decodes() -> None:
    module = decoder_of_the_documents()

    assert module.decode(b"\x01", 1).occupied is True
    assert module.decode(b"\x00", 1).occupied is False


@pytest.mark.parametrize(("payload", "f_port"), [(b"", 1), (b"\x01\x02", 1), (b"\x01", 2)])
def test_the_decoder_that_the_documents_show_refuses_what_is_no_frame(payload: bytes, f_port: int) -> None:
    with pytest.raises(MalformedInput):
        decoder_of_the_documents().decode(payload, f_port)


class NeverAsked:
    """A desk for an API that is described and not asked; its metrics look at the status once."""

    def status(self) -> object:
        return STATUS


def described(app: FastAPI) -> set[str]:
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


def documented(chapter: str) -> set[str]:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    (found,) = [part for part in text.split("\n## ") if part.startswith(chapter)]
    return set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", found, re.MULTILINE))


def test_the_lots_api_is_the_one_in_the_documents() -> None:
    site = Site(latitude=0.0, longitude=0.0)
    recounts = cast("RecountDesk", NeverAsked())
    doubts, bookings = cast("DoubtDesk", NeverAsked()), cast("BookingDesk", NeverAsked())
    app = make_app(
        cast("Desk", NeverAsked()),
        [],
        cast("Clock", None),
        site,
        CollectorRegistry(),
        doubts=doubts,
        recounts=recounts,
        bookings=bookings,
        cameras=cast("Cameras", NeverAsked()),
        sensors=cast("Sensors", NeverAsked()),
    )

    assert described(app) == documented("Of a lot")


def test_the_centres_api_is_the_one_in_the_documents() -> None:
    app = build_app(build_cloud(CloudSettings(database_url="postgresql://nowhere/none"), {}))

    assert described(app) == documented("Of the centre")
