"""The JSON schema of a lot's TOML, for editors: made from the very models that read the file, drivers' own tables included.

A table [drivers.NAME] is told by its `kind`: each installed driver whose factory tells its model is one branch, and any other kind may hold what it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from drivers.registry import kinds, settings_of
from edge.lot_file import LotFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WHERE = "#/$defs/{model}"
EXPANDED = "${STATE_DIRECTORY} and ${CREDENTIALS_DIRECTORY} may stand in any text."


def lot_schema(driver_kinds: Iterable[str]) -> Mapping[str, Any]:
    """The schema with the tables of these kinds of driver.

    Raises:
        DriverMisconfigured: a kind does not exist or cannot be loaded.
    """
    schema = LotFile.model_json_schema(ref_template=WHERE)
    tables: dict[str, Any] = {}
    for kind in sorted(driver_kinds):
        model = settings_of(kind)
        if model is None:
            continue
        own = model.model_json_schema(by_alias=True, ref_template=f"#/$defs/driver_{kind}/$defs/{{model}}")
        own["properties"] = {"kind": {"const": kind}, **own["properties"]}
        own["required"] = ["kind", *own.get("required", ())]
        tables[kind] = own
    schema["$defs"] |= {f"driver_{kind}": table for kind, table in tables.items()}
    schema["$defs"]["DriverTable"] = {
        "title": "A driver",
        "description": f"One piece of hardware; all keys but kind are the driver's own. {EXPANDED}",
        "type": "object",
        "properties": {"kind": {"type": "string", "minLength": 1, "examples": list(tables)}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/driver_{kind}"},
            }
            for kind in tables
        ],
    }
    return {"$schema": DIALECT, "title": "A lot's TOML for lotgate", **schema, "description": LotFile.__doc__}


def schema_text(driver_kinds: Iterable[str] | None = None) -> str:
    """The schema as a file; None: with every kind that is installed here."""
    found = lot_schema(kinds() if driver_kinds is None else driver_kinds)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
