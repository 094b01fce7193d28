"""The package's loggers, which survive a line that cannot be written, and fold what comes in floods.

A connection must not fall silent because a line cannot be logged.  The handlers of `logging` catch most of their own
errors.  The application's handlers and filters need not, and nothing catches an endless `__repr__`.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

FOLDING = 60.0
"""Seconds in which a message that strangers can cause is logged once."""


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger that reports an error raised while it logs, as the handlers of `logging` do, and then returns.

    In the main thread it lets pass what is to end the program, such as KeyboardInterrupt.
    """

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Leave the fields of `extra` to the call, which LoggerAdapter would drop."""
        return msg, kwargs

    def log(self, level: int, msg: object, *args: object, stacklevel: int = 1, **kwargs: Any) -> None:
        """Log a line; returns even if it cannot be written."""
        try:
            super().log(level, msg, *args, stacklevel=stacklevel + 1, **kwargs)
        except BaseException as error:  # the application's code may raise anything
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise
            # Without the arguments, which may be the reason.
            logging.NullHandler().handleError(logging.makeLogRecord({"name": self.logger.name, "msg": msg}))


def logger_of(module: str) -> Logger:
    """Return the logger of a module, by its ``__name__``."""
    return Logger(logging.getLogger(module))


class Flood:
    """Folds one message that strangers can cause as often as they like.

    The first is logged as it is.  Those that follow within `FOLDING` seconds are counted, and the count is logged with
    the next one after that time, or by `end`.  It needs no lock: threads that log at once may be counted as one.
    """

    __slots__ = ("_clock", "_folded", "_latest", "_level", "_logger", "_message", "_owner", "_since")

    def __init__(
        self, logger: Logger, level: int, owner: str, message: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._level = level
        self._owner = owner
        """The agent's id: each line begins with it."""
        self._message = message
        self._clock = clock
        self._since = -math.inf
        self._folded = 0
        self._latest: tuple[object, ...] = ()

    def log(self, *arguments: object, exc_info: bool = False) -> None:
        """Log the message with these arguments, unless it is to be folded."""
        if self._clock() - self._since < FOLDING:
            self._folded += 1
            self._latest = arguments
            return
        self._write(arguments, exc_info)
        self._since = self._clock()

    def end(self) -> None:
        """Log the latest folded message, with the count; later ones within the time are folded as before."""
        if self._folded:
            self._folded -= 1
            self._write(self._latest, exc_info=False)

    def _write(self, arguments: tuple[object, ...], exc_info: bool) -> None:
        more = f" (... {self._folded:,} more in {self._clock() - self._since:.0f} s)" if self._folded else ""
        self._logger.log(
            self._level,
            f"%s: {self._message}%s",
            self._owner,
            *arguments,
            more,
            exc_info=exc_info,
            stacklevel=3,
            extra={"agent": self._owner, "folded": self._folded or None},
        )
        self._folded = 0
        self._latest = ()
