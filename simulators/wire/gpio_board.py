"""A computer's pins without the computer: gpiozero's mock pins, behind which contacts are wired to ground.

A mock pin forgets what is wired to it when it is opened again, and cannot be pulled out: both are added here. Contacts are closed, opened and
made to bounce; outputs tell what drives them.
"""

from __future__ import annotations

import errno
from typing import Any

from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin


class BoardPin(MockPin):  # type: ignore[misc] # gpiozero is not annotated
    """A pin whose level as an input is that of the contact behind it."""

    def _get_state(self) -> bool:
        self.factory.answer()
        return bool(super()._get_state())

    def _set_state(self, value: bool) -> None:
        self.factory.answer()
        super()._set_state(value)

    def _set_pull(self, value: str) -> None:
        self._pull = value
        self._state = not self.factory.is_closed(self.info.name)


class GpioBoardWire(MockFactory):  # type: ignore[misc] # gpiozero is not annotated
    """One chip, pulled up: a closed contact is a low level. `start` makes it gpiozero's own, `stop` takes it away."""

    def __init__(self) -> None:
        super().__init__(pin_class=BoardPin)
        self._closed: set[str] = set()
        self._plugged = False

    def start(self) -> None:
        """The chip is there."""
        self._plugged = True
        Device.pin_factory = self

    def stop(self) -> None:
        """The chip is gone: whoever looks at a pin is refused."""
        self._plugged = False

    def answer(self) -> None:
        """Refuse where the chip is gone.

        Raises:
            OSError: it is.
        """
        if not self._plugged:
            raise OSError(errno.ENODEV, "the chip is gone")

    def is_closed(self, name: str) -> bool:
        """Whether the contact at a pin such as "GPIO17" is closed."""
        return name in self._closed

    def contact(self, number: int, *, closed: bool) -> None:
        """Close or open the contact at a pin; whoever watches the pin hears of it."""
        name = f"GPIO{number}"
        (self._closed.add if closed else self._closed.discard)(name)
        pin = next((pin for info, pin in self.pins.items() if info.name == name), None)
        if pin is not None and pin.function == "input":
            (pin.drive_low if closed else pin.drive_high)()

    def chatter(self, number: int, *, times: int) -> None:
        """Let a contact bounce; it ends as it was."""
        was = self.is_closed(f"GPIO{number}")
        for _ in range(times):
            self.contact(number, closed=not was)
            self.contact(number, closed=was)

    def drives(self, number: int) -> bool:
        """Whether an output is high."""
        return bool(self.pin(f"GPIO{number}").state)

    def pin(self, name: Any, pin_class: type[MockPin] | None = None, **settings: Any) -> MockPin:
        """Open a pin, see gpiozero."""
        self.answer()
        return super().pin(name, pin_class, **settings)
