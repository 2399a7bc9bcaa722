"""What can go wrong with a device, and who must act.

DriverError
├── DeviceUnreachable     the wire, the broker or the plug is gone: the supervisor starts the driver again
├── DeviceGoneMad         the device says more than anybody can: it is left alone for a while
├── CommandRefused        the device answered and said no
│   └── NeverHeardOf      the device was asked about something that it has no record of
├── CommandUnanswered     the device did not answer in time: whether it acted is not known
├── DriverMisconfigured   no restart helps: the settings must change
└── MalformedInput        the device said something that is not its protocol: counted, kept, never fatal
    └── UnknownFormat     nobody here decodes this device or format
"""

from __future__ import annotations


class DriverError(Exception):
    """A device or its wire did not do what its protocol promises."""


class DeviceUnreachable(DriverError):
    """The wire, the broker or the plug is gone."""


class DeviceGoneMad(DriverError):
    """The device says more than anybody can: it is left alone for a while."""


class CommandRefused(DriverError):
    """The device answered and said no."""


class NeverHeardOf(CommandRefused):
    """The device was asked about something that it has no record of."""


class CommandUnanswered(DriverError):
    """The device did not answer in time; whether it acted is not known."""


class DriverMisconfigured(DriverError):
    """A setting of this driver cannot work."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}. Fix: {fix}")
        self.field = field
        self.problem = problem
        self.fix = fix


class MalformedInput(DriverError):
    """The bytes do not say what this protocol can say.

    `field` names the part that is wrong ("payload", "data", "fPort", …), `problem` says how, in one line.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class UnknownFormat(MalformedInput):
    """Nobody here decodes this device or format."""
