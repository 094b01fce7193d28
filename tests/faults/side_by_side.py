"""``python -m tests.faults.side_by_side``: the same faults for three clients, in one table.

Each fault hits each client in a process of its own, with default timings and a reference server of its own in another
process: so it takes about twelve minutes.  Clients are judged by what any client of the protocol must do, seen from the
server: a heartbeat of a valid session.  Arguments choose the faults whose names contain one of them; ``--write FILE``
puts the table into a page of Markdown, between the marks in it.
"""

import argparse
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from agentcp_fsm.sign_in.identities import make_identity
from agentcp_fsm.wire import UNAUTHORIZED, HeartbeatResponse, codec_named
from tests.faults.application import ALICE, NOTHING, Resources
from tests.faults.clients import CANDIDATES, PASSWORD, Candidate
from tests.faults.page import parts, show, write
from tests.faults.process import Process
from tests.server_process import ServerProcess

BEAT = 5.0
"""Seconds between heartbeats that the server asks for; the SDK takes no less."""
OUTAGE = 40.0
"""Seconds that what lasts lasts."""
PATIENCE = 60.0
"""Seconds after the end of a fault in which a client may recover."""
LONGEST_INTERVAL = 320.0
"""Seconds within which a client should send again that was asked to wait for longer than anybody lives."""
FORGED = 5
HANDLER = 12.0
"""Seconds that a handler blocks."""
STARTS = 20
LOOKING = 0.05
"""Seconds between two looks at the server's counts."""
TRIALS_AT_ONCE = 8
"""They do next to nothing but wait."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a fault."""

    well: bool
    seconds: float | None
    """None: never, as long as was waited."""


@dataclass(slots=True)
class Trial:
    """One client and its server."""

    server: ServerProcess
    client: Process[Candidate]
    stopped: bool = False

    def start(self) -> None:
        """Become reachable."""
        self.stopped = False
        answers = self.server.count("answers")
        self.client.call(Candidate.start)
        assert _seconds_until(lambda: self.server.count("answers") > answers) is not None

    def stop(self) -> float:
        """Leave; returns the seconds that it took."""
        self.stopped = True
        began = time.monotonic()
        self.client.call(Candidate.stop)
        return time.monotonic() - began

    def sign_ins(self) -> int:
        """Sign-ins that reached the server so far: the first of their two calls."""
        counted = self.server.statistics()
        return counted["calls"] - counted["challenges"] - counted["sign_outs"]

    def heartbeats(self) -> int:
        """Heartbeats of valid sessions so far."""
        return self.server.count("heartbeats")

    def next_heartbeat(self, patience: float = PATIENCE) -> float | None:
        """Wait for a heartbeat of a valid session; returns the seconds, None if there is none."""
        seen = self.heartbeats()
        return _seconds_until(lambda: self.heartbeats() > seen, patience)

    def recovered(self) -> Result:
        """Whether the client sends a heartbeat of a valid session from now on, and another after it."""
        seconds = self.next_heartbeat()
        return Result(seconds is not None and self.next_heartbeat() is not None, seconds)


Fault = Callable[[Trial], Result]


def _seconds_until(condition: Callable[[], bool], patience: float = PATIENCE) -> float | None:
    """Wait for the condition; returns the seconds, None if it does not come true."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            return None
        time.sleep(LOOKING)
    return time.monotonic() - began


# The faults: each returns what came of it ----------------------------------------------------------------------------


def steady(trial: Trial) -> Result:
    trial.next_heartbeat()
    began = time.monotonic()
    intervals = [trial.next_heartbeat() for _ in range(6)]
    return Result(None not in intervals, (time.monotonic() - began) / len(intervals))


def for_a_while(*commands: str) -> Fault:
    """What commands of the server's console make, for as long as `OUTAGE`."""

    def fault(trial: Trial) -> Result:
        for command in commands:
            trial.server(command)
        time.sleep(OUTAGE)
        trial.server("ok")
        return trial.recovered()

    return fault


def restart(*commands: str, answers_401: bool = True) -> Fault:
    """The server knows nobody any more, and did what the commands say."""

    def fault(trial: Trial) -> Result:
        refused = trial.server.count("unauthorized")
        for command in commands:
            trial.server(command)
        trial.server("restart")
        if answers_401:
            _seconds_until(lambda: trial.server.count("unauthorized") > refused)
        return trial.recovered()

    return fault


def sign_in_down_at_start(trial: Trial) -> Result:
    trial.server("fault sign_in refused")
    trial.client.call(Candidate.start)
    time.sleep(OUTAGE)
    trial.server("ok")
    return trial.recovered()


def stop_while_a_sign_in_hangs(trial: Trial) -> Result:
    calls = trial.server.count("calls")
    trial.server("fault sign_in hang")
    trial.server("restart")
    _seconds_until(lambda: trial.server.count("calls") > calls)
    seconds = trial.stop()
    return Result(trial.client.call(Candidate.left) == NOTHING, seconds)


def forged_401s(trial: Trial) -> Result:
    sign_ins = trial.sign_ins()
    forged = codec_named("agentcp").encode(HeartbeatResponse(1, UNAUTHORIZED))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(FORGED):
            stranger.sendto(forged, tuple(trial.server.agent(ALICE)["address"]))
            trial.next_heartbeat()  # so that each meets a client that has dealt with the last
    result = trial.recovered()
    return Result(result.well and trial.sign_ins() == sign_ins, result.seconds)


def handler_blocks(trial: Trial) -> Result:
    trial.client.call(Candidate.block_handler, HANDLER)
    began = time.monotonic()
    trial.server(f"invite {ALICE}")  # gives up after 5 s
    _seconds_until(lambda: trial.server.count("invitations_answered") > 0)
    seconds = time.monotonic() - began
    # A handler that still blocks is nothing that the client leaves behind.
    _seconds_until(lambda: trial.client.call(Candidate.handled), 2 * HANDLER)
    return Result(seconds < BEAT, seconds)


def absurd_next_beat(trial: Trial) -> Result:
    trial.server(f"fault next_beat {2**62}")
    trial.next_heartbeat()
    trial.server("ok")
    seconds = trial.next_heartbeat(LONGEST_INTERVAL)
    return Result(seconds is not None, seconds)


def next_beat_as_a_varint(trial: Trial) -> Result:
    trial.server("fault encoding varint")
    trial.next_heartbeat()
    return restart()(trial)


def start_and_stop(trial: Trial) -> Result:
    began = time.monotonic()
    for _ in range(STARTS):
        trial.start()
        trial.stop()
    seconds = (time.monotonic() - began) / STARTS
    return Result(trial.client.call(Candidate.left) == NOTHING, seconds)


@dataclass(frozen=True, slots=True)
class Row:
    """A fault in the table."""

    name: str
    fault: Fault
    measured: str = "until a heartbeat is accepted"
    """What the seconds are those of."""
    started: bool = True
    """Whether the client is reachable before the fault begins."""


ROWS = (
    Row("steady state", steady, f"between heartbeats; the server asks for {BEAT:g}"),
    Row(f"outage of {OUTAGE:g} s: no datagram, no sign-in", for_a_while("fault drop 1 sign_in hang")),
    Row("server restarts, same port", restart()),
    Row("server restarts and moves, old port answers 401", restart("move 401")),
    Row("server restarts and moves, old port dead", restart("move", answers_401=False)),
    Row(f"server silent for {OUTAGE:g} s", for_a_while("fault silent on")),
    Row(f"sign-in down for {OUTAGE:g} s at the start", sign_in_down_at_start, started=False),
    Row(f"server restarts, sign-in fails for {OUTAGE:g} s", for_a_while("fault sign_in status status 503", "restart")),
    Row(f"server restarts, sign-in hangs for {OUTAGE:g} s", for_a_while("fault sign_in hang", "restart")),
    Row("stop while a sign-in hangs", stop_while_a_sign_in_hangs, "until stop returns"),
    Row(f"{FORGED} forged 401s from a stranger", forged_401s, "until the next heartbeat"),
    Row(f"handler of an invitation blocks for {HANDLER:g} s", handler_blocks, "until the invitation is answered"),
    Row("server asks for the next heartbeat in 2**62 ms", absurd_next_beat, "until the next heartbeat"),
    Row("server writes varints, and restarts", next_beat_as_a_varint),
    Row(f"start and stop, {STARTS} times", start_and_stop, "each time", started=False),
)


# Carrying them out, and telling ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one client under one fault."""

    result: Result
    sign_ins: int
    processor: float
    """Seconds of processor time, from the beginning of the fault until all is well or nothing more was waited for."""
    left: Resources
    """What is held after stop beyond what was held before start."""


def measure(row: Row, candidate: type[Candidate], folder: Path) -> Figures:
    """Have one client meet one fault."""
    with (
        ServerProcess(next_beat=BEAT) as server,
        Process[Candidate].launched(("env",), candidate, server.url, folder) as client,
    ):
        trial = Trial(server, client)
        if row.started:
            trial.start()
        sign_ins, processor = trial.sign_ins(), client.call(Candidate.processor)
        result = row.fault(trial)
        sign_ins, processor = trial.sign_ins() - sign_ins, client.call(Candidate.processor) - processor
        server("ok")
        if not trial.stopped:
            trial.stop()
        return Figures(result, sign_ins, processor, client.call(Candidate.left))


def _measure_or_tell(row: Row, candidate: type[Candidate], folder: Path) -> Figures:
    try:
        return measure(row, candidate, folder)
    except Exception as error:
        error.add_note(f"This was {candidate.name}: {row.name}")
        raise


MARK = "side-by-side"
HEADINGS = ("what happens", "seconds", "client", "well", "seconds", "sign-ins", "processor", "threads left",
            "descriptors left")  # fmt: skip


def cells(row: Row, candidate: type[Candidate], figures: Figures) -> tuple[str, ...]:
    """The figures as a line of the table."""
    result = figures.result
    return (
        row.name,
        row.measured,
        candidate.name,
        "yes" if result.well else "**no**",
        "never" if result.seconds is None else f"{result.seconds:.2f}",
        str(figures.sign_ins),
        f"{figures.processor:.2f} s",
        str(figures.left.threads),
        str(figures.left.descriptors),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.side_by_side", description=__doc__)
    parser.add_argument("name", nargs="*", help="part of the names of the faults")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this page")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.name or any(part in row.name for part in options.name)]
    if not rows:
        parser.error(f"no fault has {' or '.join(map(repr, options.name))} in its name")
    if options.write:
        parts(options.write, MARK)  # before anything takes minutes
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(TRIALS_AT_ONCE) as pool:
        make_identity(folder, ALICE, PASSWORD)
        trials = [(row, candidate) for row in rows for candidate in CANDIDATES]
        figures = pool.map(lambda trial: _measure_or_tell(trial[0], trial[1], Path(folder)), trials)
        lines = [cells(row, candidate, found) for (row, candidate), found in zip(trials, figures, strict=True)]
    show(HEADINGS, lines)
    if options.write:
        write(options.write, MARK, HEADINGS, lines)


if __name__ == "__main__":
    main()
