"""`lotgate edge inspect`: prints what the ledger says."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from edge.inspect_text import Screen
from edge.inspection import as_map, look
from edge.lot_clock import reading_kept_in
from edge.lot_reading import read_settings_file
from edge.store.reader import StoreReader
from edge.system_clock import machine_from


def inspect(path: Path, environment: Mapping[str, str], *, as_json: bool, plain: bool) -> int:
    """Print what the ledger says; 0, whatever that is.

    Raises:
        SettingsRefused: the lot's TOML cannot be read.
        StoreError: there is no ledger, or it cannot be read.
    """
    settings = read_settings_file(path, environment)
    machine = machine_from(environment)
    reader = StoreReader(settings.store.path)
    try:
        clock = reading_kept_in(reader, machine)
        seen = look(reader, settings, machine.clock.now() if clock is None else clock.estimate_at, clock)
    finally:
        reader.close()
    colour = sys.stdout.isatty() and not environment.get("NO_COLOR")
    text = (
        json.dumps(as_map(seen), ensure_ascii=False)
        if as_json
        else Screen(colour=colour, plain=plain).draw(seen)
    )
    sys.stdout.write(f"{text}\n")
    return 0
