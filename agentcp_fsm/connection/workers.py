"""Threads for what may block: sign-ins on a small bounded pool, an application's handlers each on their own.

All of them are daemons that exist only while there is work: the interpreter's exit waits for none, and a process whose
connections are at rest has none.  (The pool of `concurrent.futures` is joined at exit, however long a sign-in hangs.)
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from agentcp_fsm.support import forking, threads
from agentcp_fsm.support.log import Flood, logger_of
from agentcp_fsm.support.quoting import name_of

logger = logger_of(__name__)

Job = Callable[[], None]


class WorkerPool:
    """Runs jobs on daemon threads, started when needed and bounded in number; further jobs wait their turn.

    A thread whose job was given up does not count: it may hang for ever.
    """

    def __init__(self, name: str, limit: int = 1, linger: float = 2.0) -> None:
        self._limit = limit
        self._name = name
        self._linger = linger
        self._jobs: deque[Job] = deque()
        self._condition = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._running: set[Job] = set()
        self._given_up: set[Job] = set()
        """Those of the running jobs that nobody waits for."""
        self._idle = 0
        self._closed = False

    def widen(self, limit: int) -> None:
        """Allow for at least `limit` threads."""
        with self._condition:
            self._limit = max(self._limit, limit)

    def submit(self, job: Job) -> None:
        """Run `job` soon.  Its exceptions are logged; a closed pool drops it.

        Raises RuntimeError if the system has no thread for it, and none of the pool's is there to take it later.
        """
        with self._condition:
            if self._closed:
                return
            self._jobs.append(job)
            try:
                self._see_to_it()
            except RuntimeError:
                if len(self._threads) == len(self._given_up):
                    self._jobs.pop()
                    raise

    def give_up(self, job: Job) -> bool:
        """Say that nobody waits for `job` any longer; True if it had not begun, and never will."""
        with self._condition:
            with suppress(ValueError):  # it is not waiting
                self._jobs.remove(job)
                return True
            if job in self._running:
                self._given_up.add(job)
                if self._jobs:
                    with suppress(RuntimeError):  # the next submit tries again
                        self._see_to_it()
            return False

    def _see_to_it(self) -> None:
        """Have a thread take what waits; raises RuntimeError if the system has none for it."""
        if len(self._jobs) <= self._idle:
            self._condition.notify()
        elif len(self._threads) - len(self._given_up) < self._limit:
            thread = threads.daemon(self._name, self._work)
            threads.start(thread)  # it waits for the condition, which is held here
            self._threads.add(thread)

    def close(self) -> None:
        """Drop the jobs that wait; threads end with the job they are at."""
        with self._condition:
            self._closed = True
            self._jobs.clear()
            self._condition.notify_all()

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the threads of a closed pool; one whose job blocks is left to it."""
        with self._condition:
            self._condition.wait_for(lambda: len(self._threads) == 0, timeout)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                self._condition.wait_for(lambda: self._jobs or self._closed, self._linger)
                self._idle -= 1
                if not self._jobs:
                    self._threads.discard(threading.current_thread())
                    self._condition.notify_all()
                    return
                job = self._jobs.popleft()
                self._running.add(job)
            with forking.busy():
                _run(job)
            with self._condition:
                self._running.discard(job)
                self._given_up.discard(job)
            del job  # an idle thread keeps nothing alive


class HandlerQueue:
    """Runs one connection's handlers in order, on a thread of its own that lives while there is something to run.

    At most `limit` calls wait; more are dropped and counted, so that a handler that never returns costs bounded memory
    and affects no other connection.  `owner` is the agent's id, for the log.  A handler's argument is not logged, as it
    may hold secrets, such as an invitation's code.
    """

    __slots__ = ("_jobs", "_limit", "_lock", "_overflow", "_raised", "_thread", "dropped", "raised")

    def __init__(self, limit: int, owner: str) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._jobs: deque[tuple[Job, object]] | None = None
        self._thread: threading.Thread | None = None
        self._overflow = Flood(logger, logging.WARNING, owner, "a call of a handler is dropped: %d wait already")
        self._raised = Flood(logger, logging.ERROR, owner, "the handler %s raised")
        self.dropped = 0
        self.raised = 0

    def submit(self, job: Job, handler: object = None) -> bool:
        """Run `job` after all earlier ones.  Its exceptions are logged, with the name of `handler`, or of the job.

        False if the system has no thread for it: it waits for the next call, or for `see_to_it`, to try again.
        """
        with self._lock:
            if self._jobs is None:
                self._jobs = deque()
            if len(self._jobs) >= self._limit:
                self.dropped += 1
                self._overflow.log(self._limit)
                return True
            self._jobs.append((job, job if handler is None else handler))
        return self.see_to_it()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        jobs = self._jobs  # one look, for the thread may take them away
        return 0 if jobs is None else len(jobs)

    def see_to_it(self) -> bool:
        """Have a thread run what waits; False if the system has none for it now."""
        with self._lock:
            if self._jobs and self._thread is None:
                thread = threads.daemon("agentcp-handlers", self._work)
                try:
                    threads.start(thread)
                except RuntimeError as error:
                    logger.warning("%d calls of handlers wait for a thread: %s", len(self._jobs), error)
                    return False
                self._thread = thread
            return True

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds until nothing runs; not at all inside a handler."""
        thread = self._thread  # without the lock, which a signal's handler may find held by what it interrupted
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            job, handler = taken
            try:
                job()
            except BaseException:  # noqa: BLE001 - the application's may raise anything; the thread is not its to end
                self.raised += 1
                self._raised.log(name_of(handler), exc_info=True)

    def end_floods(self) -> None:
        """Log the folded errors and drops."""
        self._overflow.end()
        self._raised.end()

    def _next(self) -> tuple[Job, object] | None:
        with self._lock:
            if self._jobs:
                return self._jobs.popleft()
            self._jobs = None
            self._thread = None
            return None


def _run(job: Job) -> None:
    try:
        job()
    except BaseException:  # the thread is not the job's to end
        logger.exception("%s raised", name_of(job))
