"""What the domain refuses.

ParkingError
"""

from __future__ import annotations


class ParkingError(Exception):
    """A rule of the domain does not allow this."""
