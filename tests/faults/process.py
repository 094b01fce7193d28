"""Processes that do what a test tells them: each a real one, with its own interpreter, threads and descriptors.

A `Process` holds one object, its *subject*, made by the first call, and calls functions with it: whatever can be
pickled goes in, what the function returns comes out, and what it raises is raised here.  A function or class is sent by
its name, so it must stand in a module.

    with Process(Application, server.url, folder) as agent:
        agent.call(Application.start)
        agent.call(Application.wait_for, "ONLINE")
        ended = agent.end()  # the interpreter exits in its ordinary way

Calls run on the child's main thread, one after the other.  A call that does not return in time fails, with the stacks
of all the child's threads.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from tests.server_process import PATIENCE, ROOT
from tests.waiting import until

Subject = TypeVar("Subject")
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    status: int
    """As `subprocess` has it: 0 is well, -9 is killed."""
    processor: float
    """Seconds of processor time in its whole life."""
    errors: str
    """What it wrote to its standard error: tracebacks among it."""
    orphans: tuple[int, ...] = ()
    """Processes that it began, or those that it began did, and that outlived it; they are killed then."""


Usage = tuple[int, float]
"""Exit status and seconds of processor time."""


class ChildError(AssertionError):
    """A call failed in the child, or did not return; the text has the child's own traceback."""


class Process(Generic[Subject]):
    """One process with its subject; a context manager, which kills it unless it has ended.

    It is forked from a template that has nothing but imports, unless there is a `launcher`, the command that starts it,
    such as ``("ip", "netns", "exec", name)`` or ``("strace", …)``: then it is a Python started by that.
    """

    def __init__(self, make: Callable[P, Subject], /, *arguments: P.args, **keywords: P.kwargs) -> None:
        self._start((), make, arguments, keywords)

    @classmethod
    def launched(
        cls, launcher: Sequence[str], make: Callable[P, Subject], /, *arguments: P.args, **keywords: P.kwargs
    ) -> Self:
        """The same, started by a command."""
        process = cls.__new__(cls)
        process._start(launcher, make, arguments, keywords)
        return process

    def _start(self, launcher: Sequence[str], make: Callable[..., Subject], arguments: Any, keywords: Any) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this does
        self._ended: Ended | None = None
        self.pid = self._session = 0
        self._channel, theirs = Pipe()
        try:
            self._life: _Launched | _Forked = (
                _Launched(launcher, theirs, self._errors.fileno())
                if launcher
                else _template().fork(theirs, self._errors.fileno())
            )
        finally:
            theirs.close()
        try:
            self.pid = self.result()
            self._session = os.getsid(self.pid)
            self._begin(make, arguments, keywords)
            self.result()
        except BaseException:
            self.kill()
            raise

    def call(self, function: Callable[Concatenate[Subject, P], R], /, *arguments: P.args, **keywords: P.kwargs) -> R:
        """Call `function` with the subject, in the child, and return what it returns; bounded by `PATIENCE`."""
        self._begin(function, arguments, keywords)
        result: R = self.result()
        return result

    def begin(
        self, function: Callable[Concatenate[Subject, P], object], /, *arguments: P.args, **keywords: P.kwargs
    ) -> None:
        """Begin a call, to be awaited with `result`."""
        self._begin(function, arguments, keywords)

    def result(self, timeout: float = PATIENCE) -> Any:
        """Await the call that was begun; raises `ChildError`."""
        if not self._channel.poll(timeout):
            raise ChildError(f"the call did not return within {timeout:g} s:\n{self._stacks()}")
        try:
            kind, value = self._channel.recv()
        except EOFError:
            raise ChildError(f"the process ended in the middle of a call: {self.end()}") from None
        if kind == "raised":
            raise ChildError(f"{value}\n{self.errors()}")
        return value

    def _begin(self, function: Callable[..., object], arguments: Any, keywords: Any) -> None:
        self._channel.send((function, arguments, keywords))

    def errors(self) -> str:
        """What it wrote to its standard error so far."""
        return os.pread(self._errors.fileno(), 10_000_000, 0).decode(errors="replace")

    def _stacks(self) -> str:
        before = len(self.errors())
        self.signal(signal.SIGUSR1)
        with suppress(AssertionError):  # a process that is stopped writes nothing
            until(lambda: len(self.errors()) > before, timeout=2.0)
        return self.errors()[before:]

    def signal(self, number: int) -> None:
        """Send a signal."""
        if self.pid:  # else it never came to life
            os.kill(self.pid, number)

    def end(self, timeout: float = PATIENCE) -> Ended:
        """Let its main thread return, and wait until the process has ended.

        Raises `ChildError` if it has not within `timeout` seconds; it is killed then.
        """
        if self._ended is None:
            with suppress(BrokenPipeError):  # it is ending already
                self._channel.send(None)
            self._wait(timeout)
        assert self._ended is not None
        return self._ended

    def _wait(self, timeout: float) -> None:
        result = self._life.wait(timeout)
        late = "" if result is not None else f"the process did not end within {timeout:g} s:\n{self._stacks()}"
        if result is None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            result = self._life.wait(PATIENCE)
            assert result is not None
        self._ended = Ended(*result, self.errors(), self._orphans())
        self._channel.close()
        self._errors.close()
        if late:
            raise ChildError(late)

    def _orphans(self) -> tuple[int, ...]:
        """What is left of the session that it led."""
        left: list[int] = []
        if not self._session:  # it never came to life
            return ()
        for pid in (int(name) for name in os.listdir("/proc") if name.isdecimal()):
            with suppress(ProcessLookupError):
                if os.getsid(pid) == self._session:
                    left.append(pid)
                    os.kill(pid, signal.SIGKILL)
        return tuple(left)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self._ended is None:
            with suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            self._wait(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class _Launched:
    """The life of a process that a command started."""

    def __init__(self, launcher: Sequence[str], channel: Connection, errors: int) -> None:
        descriptor = channel.fileno()
        self._process = subprocess.Popen(
            [*launcher, sys.executable, "-m", "tests.faults.child", "--channel", str(descriptor)],
            pass_fds=(descriptor,),
            stderr=errors,
            cwd=ROOT,
            start_new_session=True,
        )

    def wait(self, timeout: float) -> Usage | None:
        deadline = time.monotonic() + timeout
        while True:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return self._process.returncode, usage.ru_utime + usage.ru_stime
            if time.monotonic() > deadline:
                return None
            time.sleep(0.005)


class _Forked:
    """The life of a process that the template forked."""

    def __init__(self, template: _Template, pid: int) -> None:
        self._template = template
        self._pid = pid

    def wait(self, timeout: float) -> Usage | None:
        return self._template.wait(self._pid, timeout)


class _Template:
    """A process to fork others from."""

    def __init__(self) -> None:
        self._control, theirs = Pipe()
        descriptor = theirs.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.child", "--template", str(descriptor)],
            pass_fds=(descriptor,),
            cwd=ROOT,
        )
        theirs.close()
        self._tell(None)

    def _tell(self, task: object, timeout: float = PATIENCE) -> Any:
        if task is not None:
            self._control.send(task)
        if not self._control.poll(timeout):
            raise ChildError("the template does not answer")
        return self._control.recv()

    def fork(self, channel: Connection, errors: int) -> _Forked:
        self._control.send("fork")
        for descriptor in (channel.fileno(), errors):
            send_handle(self._control, descriptor, self._process.pid)
        return _Forked(self, self._tell(None))

    def wait(self, pid: int, timeout: float) -> Usage | None:
        """Await a child's end; None if it does not come in time, and then its end may be awaited again."""
        deadline = time.monotonic() + timeout
        while True:
            usage: Usage | None = self._tell(pid)
            if usage is not None or time.monotonic() > deadline:
                return usage
            time.sleep(0.005)

    def close(self) -> None:
        """End it; its children live on."""
        self._control.close()
        self._process.wait(PATIENCE)


@functools.cache
def _template() -> _Template:
    template = _Template()
    atexit.register(template.close)
    return template
