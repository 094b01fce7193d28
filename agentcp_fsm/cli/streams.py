"""Standard streams that may be closed, full, or without a reader.

It imports nothing that could open a file, so that a closed stream's number is taken first.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NAMES = ("stdin", "stdout", "stderr")
"""The streams by their descriptors' numbers."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""How writing fails where there is no room, or no terminal any more."""


def reopen_closed() -> None:
    """Open the standard descriptors that are closed on the null device.

    Otherwise the next sockets and files would get their numbers, and be written to by mistake.
    """
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            _silence(number)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of the process
            setattr(sys, name, stream)


def show_what_cannot_be_encoded() -> None:
    """Have the output streams write an escape for each character that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def reader_is_gone() -> bool:
    """Whether standard output is a pipe or socket without a reader.

    Where the system cannot say so, as on Windows, the next line that is written finds out.
    """
    if not hasattr(select, "poll"):
        return False
    waiting = select.poll()
    waiting.register(1, 0)  # errors are reported anyway
    return any(events & select.POLLERR for _, events in waiting.poll(0))


def complain(text: str) -> None:
    """Write one line about an error to standard error; if that cannot be written, it has no reader."""
    from agentcp_fsm.fsm.printable import printable

    with suppress(OSError):
        sys.stderr.write(f"agentcp-fsm: {printable(' '.join(text.split()))}\n")
        sys.stderr.flush()


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show on a terminal, while something lasts, what it is and for how many seconds it has lasted; nothing elsewhere.

    It needs rich.
    """
    if not what or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from agentcp_fsm.fsm.printable import printable

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        shown.add_task(printable(what), total=None)
        yield


def flush() -> OSError | None:
    """Write out what waits in the output streams; return the error, if standard output does not take it.

    A stream that takes nothing is silenced, so that the interpreter's exit does not try again.
    """
    failure = None
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:
            _silence(number)
            failure = error if number == 1 else failure
    return failure


def _silence(number: int) -> None:
    """Have a descriptor lead nowhere, for this process and its children."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    os.set_inheritable(number, True)
