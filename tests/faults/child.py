"""The child's half of `tests.faults.process`: a process that does what it is told, on its main thread.

Started with ``--channel FD`` it serves that channel.  Started with ``--template FD`` it imports what children need and
forks one for each channel that it is handed: a process of its own, without the time that the imports take.
"""

import faulthandler
import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle

PRELOADED = ("tests.faults.application", "tests.faults.deeds", "agentcp_fsm.connection.authenticators", "uvloop")
"""What the template imports: modules that children need, and that start nothing by being imported."""


def serve(channel: Connection) -> None:
    """Make the subject that the first message says, then call each function with it, until told to end."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # the parent asks where it hangs
    channel.send(("returned", os.getpid()))
    subject: tuple[object, ...] = ()
    while True:
        try:
            call = channel.recv()
        except EOFError:  # the parent is gone
            return
        if call is None:
            return
        function, arguments, keywords = call
        try:
            result = function(*subject, *arguments, **keywords)
        except SystemExit:  # the child of a fork that a call made
            raise
        except BaseException:  # noqa: BLE001 - whatever it is, the parent raises it
            answer = ("raised", traceback.format_exc())
        else:
            if not subject:
                subject, result = (result,), None
            answer = ("returned", result)
        try:
            channel.send(answer)
        except BrokenPipeError:
            return


def serve_as_template(control: Connection) -> Connection | None:
    """Fork when told to; returns the channel to serve, in a child, and None in the template, at the end."""
    for name in PRELOADED:
        importlib.import_module(name)
    control.send("ready")
    while True:
        try:
            task = control.recv()
        except EOFError:
            return None
        if task != "fork":
            pid, status, usage = os.wait4(task, os.WNOHANG)
            result = (os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime)
            control.send(result if pid else None)
            continue
        channel, errors = recv_handle(control), recv_handle(control)
        if (pid := os.fork()) == 0:
            os.setsid()  # whatever it begins can be found by that
            control.close()
            os.dup2(errors, 2)
            os.close(errors)
            return Connection(channel)
        os.close(channel)
        os.close(errors)
        control.send(pid)


def main() -> None:
    kind, descriptor = sys.argv[1:]
    connection: Connection | None = Connection(int(descriptor))
    assert connection is not None
    if kind == "--template":
        connection = serve_as_template(connection)
    if connection is not None:
        serve(connection)


if __name__ == "__main__":
    main()
