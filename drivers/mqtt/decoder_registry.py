"""Finds the decoder of a device by its name, `vendor/model`.

A decoder is a module in `drivers/mqtt/decoders` that offers `decode`; the module `bosch_tps110` is the device
`bosch/tps110` (the first underscore parts vendor and model). The folder is the table: adding a device is one file and
its vectors, and no second place can be forgotten. The whole folder is loaded at once, so that a broken decoder
shows at start and not with the first frame of its device.
"""

from __future__ import annotations

import importlib
import pkgutil

from drivers.errors import UnknownFormat
from drivers.mqtt import decoders
from drivers.mqtt.decoded import Decoder


def _found() -> dict[str, Decoder]:
    found: dict[str, Decoder] = {}
    for module in pkgutil.iter_modules(decoders.__path__):
        found[module.name.replace("_", "/", 1)] = importlib.import_module(
            f"{decoders.__name__}.{module.name}"
        ).decode
    return dict(sorted(found.items()))


_DECODERS = _found()


def devices() -> tuple[str, ...]:
    """The devices that can be decoded, as `vendor/model`, sorted."""
    return tuple(_DECODERS)


def decoder_of(device: str) -> Decoder:
    """The decoder of `device`.

    Raises:
        UnknownFormat: no decoder has that name.
    """
    try:
        return _DECODERS[device]
    except KeyError:
        raise UnknownFormat(
            "device", f"{device!r} is unknown, `lotgate decode --list` names all {len(_DECODERS)}"
        ) from None
