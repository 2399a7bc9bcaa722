"""How long a kind of driver may be silent, and how soon a wire that was pulled is looked at again. Read by edge/bootstrap.py."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.back_off import BackOff
from drivers.supervisor import Patience

# How long a kind of driver may say nothing (real seconds). Readers and terminals are silent for hours in a quiet lane.
PATIENCE: Mapping[str, Patience] = {
    "mqtt": Patience(silent_after_s=60.0, restart_after_s=120.0),
    "modbus_barrier": Patience(silent_after_s=1.0, restart_after_s=5.0),
    "modbus_relays": Patience(silent_after_s=1.0, restart_after_s=5.0),
    "gpio": Patience(silent_after_s=15.0, restart_after_s=30.0),
    "ticket_printer": Patience(silent_after_s=10.0, restart_after_s=30.0),
    "osdp_reader": Patience(silent_after_s=10.0),
    "ble": Patience(silent_after_s=60.0),
    "ble_barrier": Patience(silent_after_s=1.0),
}

# A plug that is put back is noticed within two seconds; only a broker elsewhere deserves longer waits.
LOCAL_WIRE = BackOff(first_s=0.25, ceiling_s=2.0)
