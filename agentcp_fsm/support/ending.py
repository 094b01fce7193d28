"""Signals that ask a program to end, on every system and loop."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""Those of this system: Ctrl-C, the request to end, and on Windows Ctrl-Break, which is also the closed window."""
LOOK = 0.2
"""Seconds after which a signal is handled at the latest where it cannot wake the loop."""


@contextmanager
def watched(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> Iterator[None]:
    """Have `call` called in the running `loop`, of the main thread, by each of `SIGNALS`."""
    before: dict[signal.Signals, Any] = {}
    looking: asyncio.TimerHandle | None = None

    def handle(*_: object) -> None:
        loop.call_soon_threadsafe(call)

    def look() -> None:
        nonlocal looking
        looking = loop.call_later(LOOK, look)

    for number in SIGNALS:
        try:
            loop.add_signal_handler(number, call)
        except NotImplementedError:  # by Windows' loops
            before[number] = signal.signal(number, handle)
    if before:
        look()  # a loop that waits in `select` does not let Python's own handlers run
    try:
        yield
    finally:
        if looking is not None:
            looking.cancel()
        for number in SIGNALS:
            if number in before:
                signal.signal(number, before[number])
            else:
                loop.remove_signal_handler(number)
