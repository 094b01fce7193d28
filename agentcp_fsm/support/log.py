"""The package's loggers: those of `logging`, but that nothing raised while a line is logged ends what logs it.

The handlers of `logging` catch most of what goes wrong in them.  A handler or a filter of the application's own need
not, nor is a `__repr__` without end caught, and a connection must not fall silent because a line cannot be written.
"""

from __future__ import annotations

import logging
import threading
from typing import Any


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger that reports what is raised as the handlers of `logging` do, and returns.

    Only what would end the main thread passes, such as KeyboardInterrupt: that is the program's to end.
    """

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log a line, whatever comes of it."""
        try:
            super().log(level, msg, *args, stacklevel=2, **kwargs)
        except BaseException as error:  # whatever it is, it is the application's
            if not isinstance(error, Exception) and threading.current_thread() is threading.main_thread():
                raise
            # Without the arguments, which may be what cannot be written.
            logging.NullHandler().handleError(logging.makeLogRecord({"name": self.logger.name, "msg": msg}))


def logger_of(module: str) -> Logger:
    """The logger of a module, by its ``__name__``."""
    return Logger(logging.getLogger(module))
