"""What the documents tell a reader to write or to type, written and typed."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from drivers.errors import MalformedInput

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
