from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge.enrolment import Enrolment, EnrolmentFailed, ask
from sync.keys import SigningKey

CLOUD = SigningKey.from_seed(b"c" * 32)
UNIT = SigningKey.from_seed(b"u" * 32)
ANSWER = {
    "gateway": "gw-1",
    "lot": "11111111-2222-4333-8444-555555555555",
    "epoch": 3,
    "cloud": "lotgate",
    "cloud_public_key": base64.b64encode(CLOUD.public).decode(),
}


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A centre that answers each enrolment so; its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append({"path": self.path, **json.loads(content)})
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"ws://127.0.0.1:{server.server_port}/api/v1/link", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_code_and_the_public_key_go_to_the_centre_and_its_answer_is_kept(tmp_path: Path) -> None:
    with answering(200, json.dumps(ANSWER).encode()) as (url, asked):
        enrolment = ask(url, code="one-time-code", public_key=UNIT.public)
    assert asked == [
        {
            "path": "/api/v1/gateways/enrol",
            "code": "one-time-code",
            "public_key": base64.b64encode(UNIT.public).decode(),
        }
    ]
    assert (enrolment.gateway, enrolment.epoch, enrolment.cloud_public_key) == ("gw-1", 3, CLOUD.public)
    key_file = tmp_path / "gateway.key"
    assert Enrolment.read(key_file) is None
    enrolment.write(key_file)
    enrolment.write(key_file)
    assert Enrolment.read(key_file) == enrolment
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.json"]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, b'{"title": "Forbidden", "detail": "the code was used"}', "refuses (403): the code was used"),
        (502, b"<html>bad gateway", "refuses (502): <html>bad gateway"),
        (200, b"{}", "enrolment.cloud_public_key: is missing"),
        (200, json.dumps(ANSWER | {"epoch": -1}).encode(), "enrolment.epoch"),
        (200, json.dumps(ANSWER | {"cloud_public_key": "AAAA"}).encode(), "must have 32 bytes"),
        (200, b"\xff", "do not understand"),
    ],
)
def test_what_the_centre_says_wrong_is_told(status: int, body: bytes, says: str) -> None:
    with answering(status, body) as (url, _), pytest.raises(EnrolmentFailed) as caught:
        ask(url, code="one-time-code", public_key=UNIT.public)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [("ftp://host/x", "is not ws"), ("lotgate", "names no host"), ("ws://127.0.0.1:9/", "cannot be reached")],
)
def test_a_centre_that_cannot_be_reached_is_named(url: str, says: str) -> None:
    with pytest.raises(EnrolmentFailed, match=says):
        ask(url, code="one-time-code", public_key=UNIT.public)


def test_a_broken_enrolment_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "gateway.json").write_text("{")
    with pytest.raises(EnrolmentFailed, match="enrol this unit again"):
        Enrolment.read(tmp_path / "gateway.key")
