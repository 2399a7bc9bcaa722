"""The machine's clocks: its civil one, whatever sets it, and the boot-time one, which nobody sets.

A demo hands all of its processes one civil scale. A test starts an agent whose civil clock is wrong by handing that agent alone a scale with
another anchor, and lets it boot anew by another LOTGATE_BOOT.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parking.clock import CivilScale, Clock, ScaledClock

CIVIL_SCALE = "LOTGATE_CIVIL_SCALE"
BOOT = "LOTGATE_BOOT"
KERNELS_BOOT = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Civil time is the system's, whatever sets it; real seconds are its monotonic ones."""

    @property
    def known(self) -> bool:
        """Whoever asks the system takes its word."""
        return True

    def now(self) -> datetime:
        """The civil instant, aware UTC."""
        return datetime.now(UTC)

    def dark_since(self, at: datetime) -> datetime | None:  # noqa: ARG002 - the protocol's
        """Never dark."""
        return None

    def lower_bound(self) -> datetime:
        """The civil instant itself."""
        return self.now()

    def released_before(self) -> datetime:
        """The civil instant itself."""
        return self.now()

    def monotonic(self) -> float:
        """Real seconds since some fixed point, the same for all processes of this machine."""
        return time.monotonic()

    def real_s(self, civil: timedelta) -> float:
        """Civil time runs as real time does."""
        return civil.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a lot's clock is made from: the civil clock, real seconds since the machine booted, and the name of that boot."""

    clock: Clock
    boot_s: Callable[[], float]
    boot: str


def clock_from(environment: Mapping[str, str]) -> SystemClock | ScaledClock:
    """The civil clock that `environment` asks for.

    Raises:
        ValueError: LOTGATE_CIVIL_SCALE is set and cannot be read.
    """
    scale = environment.get(CIVIL_SCALE)
    if not scale:
        return SystemClock()
    return ScaledClock(source=time.monotonic, scale=CivilScale.parse(scale))


def machine_from(environment: Mapping[str, str]) -> Machine:
    """The machine as `environment` lets it appear. LOTGATE_BOOT is the boot's name; systemd hands it, since the unit may not look into /proc/sys.

    Raises:
        ValueError: LOTGATE_CIVIL_SCALE is set and cannot be read.
    """
    boot = environment.get(BOOT) or _kernels_boot()
    return Machine(clock=clock_from(environment), boot_s=_boot_s, boot=boot.replace(" ", "_"))


def _kernels_boot() -> str:
    """The kernel's name of this boot. Where it has none each start counts as a boot of its own, which is safe."""
    try:
        return KERNELS_BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"unnamed-{_boot_s():.6f}"


def _boot_s() -> float:
    """Seconds since the machine booted, those in which it slept too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
