"""The fault bench: a fault made real, what must be true after it, and what was measured.

A `Case` says in one entry what goes wrong and what must hold.  `run` carries it out:

1. the reference server in a process of its own, an `Application` with one real connection in another;
2. the connection comes online (unless the fault is to meet it before: ``online=False``);
3. ``fault(bench)`` breaks something, waits until the connection has met it, and mends it;
4. from then on the bench waits for an answered heartbeat in ONLINE, and measures how long that takes and what was used
   and lost since the fault began;
5. the connection is stopped, which must be prompt and leave nothing; the interpreter must exit with status 0 and print
   nothing.

`Outcome.broken` lists everything that did not hold (`tests.faults.case`).  So a new fault is an entry in a list of
cases:

    Case("the server restarts", fault=by_server("restart", until=lost(1)), within=0.5, sign_ins=1, losses=1)

or, if no command of `agentcp_fsm.server`'s console makes the fault, a function that takes the `Bench`:

    def descriptor_closed(bench: Bench) -> None:
        bench.agent.call(system_deeds.close_descriptor)
        bench.lose(1)

A *deed* is a fault made inside the application: a function of `tests.faults.deeds`, `system_deeds` or `crowd_deeds`
that the child is told to call.  If a case does not end in recovery, `ends` says how: STOPPED, the fault leaves the
connection stopped; EXITED, it makes the interpreter exit (`Bench.exits`).

The cases are listed in `tests.faults.catalogue`.  ``python -m tests.faults`` runs them and prints the table;
``pytest tests/faults`` checks them.  `tests.faults.process` has the processes, and says how to call into them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentcp_fsm import ReportTransition, State
from agentcp_fsm.sign_in.identities import make_identity
from tests.faults import pace
from tests.faults.application import ALICE, Application, Reading
from tests.faults.case import DEFAULT_BEAT, Case, Ends, Outcome, judged
from tests.faults.network import SERVER, Lab, site, within
from tests.faults.process import Ended, Process
from tests.faults.relay import Relay
from tests.server_process import ServerProcess
from tests.starvation import starved

LOG = "log"


@dataclass(slots=True)
class Bench:
    """What a fault works with."""

    case: Case
    server: ServerProcess
    agent: Process[Application]
    folder: Path
    """For files of the case's own; the application's log is among them."""
    stack: ExitStack
    """Ends what a fault leaves behind."""
    relay: Relay | None = None
    lab: Lab | None = None
    """The network between server and application, if the case has one."""
    begun: Reading | None = None
    """The application when the fault began."""
    ended: float | None = None
    """When the fault ended, on the clock of `time.monotonic`; a fault that goes on to do other things may set it."""
    starved: dict[int, float] = field(default_factory=dict)
    """What `starvation` was when the fault ended."""
    leaving: tuple[Reading, list[ReportTransition], int] | None = None
    """How the application was when it was told to exit, its life until then, and the calls that the server had got."""
    exit: Ended | None = None
    """How the application's process ended, if it has."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What a fault measured besides."""
    stopping: list[float] = field(default_factory=list)
    """Seconds that each stop took that the fault made."""

    def start(self) -> None:
        """Start the connection; for faults that meet it before it is online."""
        self.agent.call(Application.start)

    def wait_for(self, *states: State) -> None:
        """Wait until the connection enters one of the states."""
        self.agent.call(Application.wait_for, *states)

    def come_online(self) -> None:
        """Start the connection, and wait until its first heartbeat is answered."""
        self.start()
        self.online()

    def online(self) -> None:
        """Wait until a heartbeat that is answered from now on."""
        self.agent.call(Application.recovered, time.monotonic())

    def reading(self) -> Reading:
        """How the application is now."""
        return self.agent.call(Application.reading)

    def starvation(self) -> dict[int, float]:
        """Seconds that each thread has waited for a processor that a recovery depends on.

        They take turns, so a recovery may be late by the sum.  A thread of the pool ends after idling for 2 s, with
        what it waited for before.
        """
        threads = self.agent.call(Application.working_threads)
        server = self.server.process.pid
        return {server: starved(server)} | {thread: starved(self.agent.pid, thread) for thread in threads}

    def since_begun(self) -> tuple[Reading, Reading]:
        """The application when the fault began, and now."""
        assert self.begun is not None
        return self.begun, self.reading()

    def lose(self, number: int) -> None:
        """Wait until the connection was lost as many times, since the fault began."""
        assert self.begun is not None
        self.agent.call(Application.lost, self.begun.losses + number)

    def fail(self, number: int) -> None:
        """Wait until as many attempts have failed, since the fault began."""
        assert self.begun is not None
        self.agent.call(Application.failed_attempts, self.begun.failed_attempts + number)

    def exits(self) -> Ended:
        """Have the interpreter exit in its ordinary way, now, whatever it is at; returns how it ended."""
        self.leaving = self.reading(), self.agent.call(Application.life), self.server.count("calls")
        self.ended = time.monotonic()
        self.exit = self.agent.end()
        return self.exit


Waiting = Callable[[Bench], None]


def by_server(*commands: str, until: Waiting, then: str = "ok") -> Waiting:
    """The fault that commands of the server's console make, wait for the connection to meet it, and end it."""

    def fault(bench: Bench) -> None:
        for command in commands:
            bench.server(command)
        if not bench.case.online:
            bench.start()
        until(bench)
        bench.server(then)

    return fault


def lost(number: int = 1) -> Waiting:
    """Until the connection was lost as many times."""
    return lambda bench: bench.lose(number)


def failed(number: int = 1) -> Waiting:
    """Until as many attempts have failed."""
    return lambda bench: bench.fail(number)


def entered(*states: State) -> Waiting:
    """Until one of the states is entered."""
    return lambda bench: bench.wait_for(*states)


# Carrying a case out --------------------------------------------------------------------------------------------------


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def identity(agent_id: str = ALICE) -> Path:
    """The folder of an agent's identity, made once."""
    make_identity(_folder().name, agent_id)
    return Path(_folder().name)


def address_of(url: str) -> tuple[str, int]:
    """The address and TCP port that a server's URL names."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@contextmanager
def bench_of(case: Case, shared: ServerProcess | None = None) -> Iterator[Bench]:
    """A server and an application for the case; `shared` is a server that cases may use one after the other."""
    with ExitStack() as stack:
        lab = None
        if case.across:
            lab, server = site().lab, site().server(case.across, case.next_beat)
        elif shared is None or case.own_server or case.next_beat != DEFAULT_BEAT:
            server = stack.enter_context(ServerProcess(next_beat=case.next_beat))
        else:
            server = shared
        server("ok")
        server("restart")  # forget earlier cases' sessions
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        relay = stack.enter_context(Relay(address_of(server.url))) if case.relayed else None
        url = server.url if relay is None else relay.url
        if lab is not None:
            url = url.replace(SERVER, case.across)
        arguments: tuple[Any, ...] = (url, identity(), case.config, folder / LOG)
        if lab is not None:
            agent = Process(within, lab.client.pid, Application, *arguments)
        elif case.launcher is None:
            agent = Process(Application, *arguments)
        else:
            agent = Process.launched(case.launcher(folder), Application, *arguments)
        stack.enter_context(agent)
        yield Bench(case, server, agent, folder, stack, relay, lab)


def run(case: Case, shared: ServerProcess | None = None) -> Outcome:
    """Carry out a case and measure; what does not hold is in the outcome, never raised."""
    with bench_of(case, shared) as bench:
        try:
            if case.online:
                bench.come_online()
            bench.begun = bench.reading()
            bench.starved = bench.starvation()
            case.fault(bench)
            if bench.ended is None:
                bench.starved, bench.ended = bench.starvation(), time.monotonic()
            outcome = _FINISH[case.ends](bench, bench.begun, bench.ended)
        except AssertionError as error:
            log = (bench.folder / LOG).read_text().splitlines(keepends=True)
            return Outcome(case=case, broken=(f"{error}\nThe application's log ends:\n{''.join(log[-40:])}",))
    return outcome


def _recovered(bench: Bench, begun: Reading, ended: float) -> Outcome:
    answered = bench.agent.call(Application.recovered, ended)
    after, starvation = bench.reading(), bench.starvation()
    waited = sum(seconds - bench.starved.get(thread, 0.0) for thread, seconds in starvation.items())
    stopping = bench.agent.call(Application.stop)
    return _outcome(bench, begun, after, answered - ended, stopping, waited)


def _stopped(bench: Bench, begun: Reading, ended: float) -> Outcome:
    bench.wait_for(State.OFFLINE)
    after = bench.reading()
    return _outcome(bench, begun, after, after.at - ended, max(bench.stopping, default=None))


def _outcome(
    bench: Bench, begun: Reading, after: Reading, seconds: float, stopping: float | None, waited: float = 0.0
) -> Outcome:
    left = bench.agent.call(Application.left, bench.case.left)
    life = bench.agent.call(Application.life)
    bench.exit = bench.agent.end()
    outcome = _measured(bench, begun, after, life)
    return judged(replace(outcome, seconds=seconds, starved=waited, stopping=stopping, left=left), bench.exit)


def _exited(bench: Bench, begun: Reading, ended: float) -> Outcome:
    seconds = time.monotonic() - ended
    assert bench.leaving is not None, "the fault did not have the interpreter exit"
    assert bench.exit is not None
    last, life, calls = bench.leaving
    outcome = _measured(bench, begun, last, life)
    return judged(
        replace(
            outcome,
            seconds=seconds,
            # Whatever still calls the server while the interpreter exits counts as a sign-in.
            sign_ins=outcome.sign_ins + bench.server.count("calls") - calls,
            processor=bench.exit.processor - begun.processor,
        ),
        bench.exit,
    )


_FINISH = {Ends.RECOVERED: _recovered, Ends.STOPPED: _stopped, Ends.EXITED: _exited}


def _measured(bench: Bench, begun: Reading, after: Reading, life: list[ReportTransition]) -> Outcome:
    """What the application counted from the beginning of the fault until all was well, or until it was to exit."""
    case, ended = bench.case, bench.ended
    assert ended is not None
    attempts = pace.attempts(life, case.config, case.rest, refused=True)
    since = [attempt for attempt in attempts if attempt.at >= begun.at]
    losses = after.losses - begun.losses
    needed = losses + sum(each.after_start + (each.failed and each.at <= ended) for each in since)
    return Outcome(
        case=case,
        sign_ins=after.attempts - begun.attempts,
        sign_ins_due=needed if case.sign_ins is None else case.sign_ins,
        losses=losses,
        unanswered=max((after.heartbeats - begun.heartbeats) - (after.answers - begun.answers), 0),
        processor=after.processor - begun.processor,
        memory=max(after.memory_peak - begun.memory, 0) / 1e6,
        haste=pace.haste(attempts),
        sessions=bench.server.count("sessions"),
    )
