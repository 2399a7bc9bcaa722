"""Settings of a driver as strangers write them, read in one place.

Each driver declares a frozen pydantic model whose fields describe what is allowed; the description is the fix that a
person is told, so a field without one would leave them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from drivers.errors import DriverMisconfigured


class DriverSettings(BaseModel):
    """Settings refuse what they do not know: a misspelt key must not silently mean its default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Question(dict[str, object]):
    """A table that asks its reader for the model instead of holding settings."""


class _Shown(Exception):
    def __init__(self, model: type[DriverSettings]) -> None:
        super().__init__(model.__name__)
        self.model = model


def model_of(factory: Callable[[str, Mapping[str, object]], object]) -> type[DriverSettings] | None:
    """The model with which a factory reads its table; None where it reads it in another way than by `read_settings`."""
    try:
        factory("asked", _Question())
    except _Shown as shown:
        return shown.model
    except DriverMisconfigured:
        return None
    return None


SettingsT = TypeVar("SettingsT", bound=DriverSettings)


def read_settings(model: type[SettingsT], settings: Mapping[str, object]) -> SettingsT:
    """Validate a driver's table.

    Raises:
        DriverMisconfigured: with the first wrong field and how to put it right.
    """
    if isinstance(settings, _Question):
        raise _Shown(model)
    try:
        return model.model_validate(dict(settings))
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_context=False)[0]
        path = [str(part) for part in first["loc"]]
        problem = first["msg"].removeprefix("Value error, ")
        raise DriverMisconfigured(".".join(path) or "settings", problem, _fix(model, path)) from refused


def _fix(model: type[DriverSettings], path: list[str]) -> str:
    """Return the wrong field's description, or the names that exist where the field is unknown."""
    if not path:
        return "change one of the settings that the problem names"
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if path[0] not in fields:
        return f"the settings of this driver are {', '.join(fields)}"
    return fields[path[0]].description or f"see the documentation of {path[0]}"
