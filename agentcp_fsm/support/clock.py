"""The clock of all deadlines: it never steps, and goes on while the machine is suspended.

`time.monotonic` stands still meanwhile on Linux and macOS, so what was due in the night would be hours late.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

LOOK = 1.0
"""Seconds, at most, between two looks at the clock: loops sleep by the other one, which does not see a suspension."""


def _clock() -> Callable[[], float]:
    if sys.platform != "win32":  # whose only clock of this kind goes on
        number = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        try:
            time.clock_gettime(number)
        except OSError:  # a sandbox without it
            return time.monotonic
        return partial(time.clock_gettime, number)
    return time.monotonic


now = _clock()
"""Return the seconds since some moment, of no meaning but to compare with others of the same machine."""
