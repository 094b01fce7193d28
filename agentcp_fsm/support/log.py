"""The package's loggers, which survive a line that cannot be written.

A connection must not fall silent because a line cannot be logged.  The handlers of `logging` catch most of their own
errors.  The application's handlers and filters need not, and an endless `__repr__` is caught by nobody.
"""

from __future__ import annotations

import logging
import threading
from typing import Any


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger that reports an error raised while it logs, as the handlers of `logging` do, and then returns.

    In the main thread it lets pass what is to end the program, such as KeyboardInterrupt.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line; returns even if it cannot be written."""
        try:
            super().log(level, msg, *args, stacklevel=2, **kwargs)
        except BaseException as error:  # the application's code may raise anything
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise
            # Without the arguments, which may be the reason.
            logging.NullHandler().handleError(logging.makeLogRecord({"name": self.logger.name, "msg": msg}))


def logger_of(module: str) -> Logger:
    """Return the logger of a module, by its ``__name__``."""
    return Logger(logging.getLogger(module))
