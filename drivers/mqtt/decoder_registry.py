"""Finds the decoder of a device by its name, `vendor/model`.

A decoder is a module in `drivers/mqtt/decoders` that offers `decode`, and `encode` where its device can be told something; the module `bosch_tps110` is the device
`bosch/tps110` (the first underscore parts vendor and model). The folder is the table: adding a device is one file and
its vectors, and no second place can be forgotten. The whole folder is loaded at once, so that a broken decoder
shows at start and not with the first frame of its device.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from drivers.errors import UnknownFormat
from drivers.mqtt import decoders
from drivers.mqtt.decoded import Decoder
from drivers.mqtt.downlink import Encoder


def _found() -> dict[str, ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(decoders.__path__))
    return {
        name.replace("_", "/", 1): importlib.import_module(f"{decoders.__name__}.{name}") for name in names
    }


_MODULES = _found()
_DECODERS: dict[str, Decoder] = {device: module.decode for device, module in _MODULES.items()}


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


def encoder_of(device: str) -> Encoder | None:
    """What `device` can be told; None where its module offers no `encode`, or there is no such device."""
    encode: Encoder | None = getattr(_MODULES.get(device), "encode", None)
    return encode
