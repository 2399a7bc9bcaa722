"""Inputs for decoders: anything, good messages gone wrong, and very much of the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

LARGEST_BYTES = 300_000  # a little more than the largest body that any decoder takes
ODD_BYTES = b'\x00\xff\x7f\x80\x02\x03\r\n{}[]"<>&:,0-.'
ODD_VALUES: Sequence[object] = (
    None, True, False, 0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, 0.1, "", "0", "ON", "\x00", "\ud800", "ä" * 300,
    [], {}, [[[[]]]], {"a": {"b": []}}, "2024-03-12T11:00:18+01:00", "9999-12-31T23:59:59-23:59", "AA==", "ff" * 8,
)  # fmt: skip


def inputs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes for a decoder whose good messages are `seeds`."""
    anything = st.binary(max_size=200)
    pieces = st.sampled_from(seeds) if seeds else anything
    kinds = [anything, _much(st.one_of(anything, pieces)), _edited(pieces)]
    documents = [document for seed in seeds if (document := _document(seed)) is not None]
    if documents:
        kinds.append(_rewritten(documents))
    return st.one_of(kinds)


def _much(pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """One piece, over and over."""
    return st.builds(
        lambda piece, times: (piece * times)[:LARGEST_BYTES], pieces, st.sampled_from((2, 100, 20_000))
    )


@st.composite
def _edited(draw: st.DrawFn, pieces: st.SearchStrategy[bytes]) -> bytes:
    """A good message in which some places were changed, cut, doubled or filled."""
    data = bytearray(draw(pieces))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 8, 64))))
        match draw(st.integers(0, 3)):
            case 0:
                del data[start:end]
            case 1:
                data[start:end] = bytes([draw(st.sampled_from(ODD_BYTES))]) * max(1, end - start)
            case 2:
                data[start:start] = data[start:end]
            case _:
                data[start:end] = draw(st.binary(max_size=8))
    return bytes(data)


def _document(seed: bytes) -> object:
    try:
        parsed: object = json.loads(seed)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict | list) else None


@st.composite
def _rewritten(draw: st.DrawFn, documents: Sequence[object]) -> bytes:
    """A good document in which some values are others."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if places:
            holder, key = draw(st.sampled_from(places))
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return json.dumps(document).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each object or list of the document with each of its keys."""
    if isinstance(value, dict | list):
        keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield value, key
            yield from _places(value[key])
