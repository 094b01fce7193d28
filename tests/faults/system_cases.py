"""What the operating system does: descriptors, memory, buffers, clocks, the processor, suspension."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agentcp_fsm import Config
from tests.faults import system_deeds
from tests.faults.application import ALICE, Application
from tests.faults.bench import Bench
from tests.faults.case import Case
from tests.needs import needs, needs_program
from tests.timings import CALM
from tests.waiting import until

HOUR = 3600.0
STEP = "step"
"""The file that steps the wall clock."""


def descriptor_closed(bench: Bench) -> None:
    bench.agent.call(system_deeds.close_descriptor)
    bench.lose(1)


def descriptor_replaced(bench: Bench) -> None:
    bench.agent.call(system_deeds.replace_descriptor)
    bench.lose(1)
    bench.online()
    bench.agent.call(system_deeds.use_replaced_descriptor)


def out_of_descriptors(bench: Bench) -> None:
    """When a sign-in and a socket are needed."""
    bench.agent.call(system_deeds.run_out_of_descriptors)
    bench.server("restart")
    bench.fail(3)
    bench.agent.call(system_deeds.lift_limit)


def out_of_threads(bench: Bench) -> None:
    """When a sign-in needs one, for the connection and for another that is started meanwhile."""
    bench.agent.call(system_deeds.run_out_of_threads)
    bench.agent.call(system_deeds.start_another)
    bench.server("restart")
    until(lambda: bench.reading().failed_attempts >= 2)  # no handler is told, for want of a thread
    bench.agent.call(system_deeds.lift_limit)
    bench.agent.call(system_deeds.await_and_stop_another)


def out_of_threads_at_the_start(bench: Bench) -> None:
    """Not even the library's own can be started: start says so, and works once one can."""
    bench.agent.call(system_deeds.run_out_of_threads)
    bench.agent.call(system_deeds.fail_to_start)
    bench.agent.call(system_deeds.lift_limit)
    bench.start()


def out_of_descriptors_at_the_start(bench: Bench) -> None:
    bench.agent.call(system_deeds.run_out_of_descriptors)
    bench.agent.call(system_deeds.fail_to_start)
    bench.agent.call(system_deeds.lift_limit)
    bench.start()


def out_of_buffers(bench: Bench) -> None:
    """Every send fails with ENOBUFS: strace has the kernel say so, in all threads, until it lets go."""
    strace = needs_program("strace", "strace")
    inject = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=sendto", "-e", "inject=sendto:error=ENOBUFS"]
    with subprocess.Popen([*inject, "-p", str(bench.agent.pid)], stderr=subprocess.PIPE, text=True) as tracer:
        try:
            until(lambda: bench.reading().send_failures > 0 or tracer.poll() is not None)
            needs(tracer.poll() is None, "leave to trace a process", "run the tests as root")
            bench.lose(1)
            bench.fail(1)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)


def suspended(seconds: float, bench: Bench) -> None:
    """SIGSTOP, and SIGCONT once the server has heard nothing for as long."""
    bench.agent.signal(signal.SIGSTOP)
    try:
        until(lambda: bench.server.agent(ALICE)["silent_for"] > seconds, timeout=seconds + 30)
    finally:
        bench.agent.signal(signal.SIGCONT)


def machine_suspended(bench: Bench) -> None:
    bench.agent.call(system_deeds.machine_suspended, 3600.0)


def suspended_while_signing_in(bench: Bench) -> None:
    """For longer than the sign-in may take."""
    bench.server("fault sign_in hang")
    begun = bench.server.count("calls")
    bench.start()
    until(lambda: bench.server.count("calls") > begun)
    silent = bench.reading().at + bench.case.config.sign_in_timeout + 0.5
    bench.agent.signal(signal.SIGSTOP)
    until(lambda: time.monotonic() > silent)
    bench.agent.signal(signal.SIGCONT)
    bench.server("ok")


# The wall clock -------------------------------------------------------------------------------------------------------


def faketime(folder: Path) -> Sequence[str]:
    """What starts a process whose wall clock can be stepped, and no other's.

    A step of the machine's own clock would hit all that runs beside, and no namespace has a wall clock of its own.  So
    libfaketime stands between the process and its C library: it reads the step from a file whenever the wall clock is
    asked.  The monotonic clock goes on, as it does when a wall clock is really stepped.
    """
    needs_program("faketime", "faketime")
    (folder / STEP).write_text("+0")
    return (
        "env",
        "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1",
        f"FAKETIME_TIMESTAMP_FILE={folder / STEP}",
        "FAKETIME_NO_CACHE=1",
        "DONT_FAKE_MONOTONIC=1",
    )


def wall_clock_steps(bench: Bench) -> None:
    """An hour ahead, and then to an hour back; heartbeats go on."""
    for step in (HOUR, -2 * HOUR):
        wall, monotonic = bench.agent.call(system_deeds.clocks)
        (bench.folder / STEP).write_text(f"{HOUR if step > 0 else -HOUR:+g}")
        wall_after, monotonic_after = bench.agent.call(system_deeds.clocks)
        assert abs((wall_after - wall) - step) < 60, "the wall clock was not stepped"
        assert 0 <= monotonic_after - monotonic < 60, "the monotonic clock was stepped"
        bench.agent.call(Application.answered, bench.reading().answers + 5)


def wall_clock_steps_in_backoff(bench: Bench) -> None:
    """An hour back, while a Retry-After is waited for."""
    bench.server("fault sign_in status status 503 retry_after 1")
    bench.server("restart")
    bench.fail(1)
    (bench.folder / STEP).write_text(f"{-HOUR:+g}")
    bench.server("ok")


# The processor --------------------------------------------------------------------------------------------------------


def processors_busy(bench: Bench) -> None:
    """A process on each processor that does nothing but keep it busy, and heartbeats go on."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        bench.agent.call(Application.answered, bench.reading().answers + 10)
        bench.server("restart")
        bench.lose(1)
        bench.online()
    finally:
        for process in busy:
            process.kill()
            process.wait()


CASES = (
    Case(name="socket's descriptor closed", fault=descriptor_closed, within=2, sign_ins=1, losses=1),
    Case(name="socket's descriptor replaced", fault=descriptor_replaced, within=2, sign_ins=1, losses=1),
    Case(name="out of descriptors (EMFILE) when one is needed", fault=out_of_descriptors,
         within=3, sign_ins=None, losses=1),
    Case(name="out of descriptors at the start", fault=out_of_descriptors_at_the_start, online=False,
         within=2, sign_ins=1),
    Case(name="out of threads when one is needed", fault=out_of_threads, within=2, sign_ins=None, losses=1),
    Case(name="out of threads at the start", fault=out_of_threads_at_the_start, online=False, within=2, sign_ins=1),
    Case(name="out of buffers (ENOBUFS) for every send", fault=out_of_buffers, within=2, sign_ins=None, losses=1),
    Case(name="process suspended for 15 intervals", fault=partial(suspended, 1.5), within=1, sign_ins=0),
    Case(name="process suspended for 30 s", fault=partial(suspended, 30.0), config=Config(), next_beat=5.0, slow=True,
         within=6, sign_ins=0),
    Case(name="process suspended for longer than a sign-in may take", fault=suspended_while_signing_in, online=False,
         config=replace(CALM, sign_in_timeout=1.0), within=3, sign_ins=None),
    Case(name="machine suspended for an hour, unseen by the monotonic clock", fault=machine_suspended,
         config=Config(), next_beat=20.0, within=2, sign_ins=0),
    Case(name="wall clock an hour ahead, then an hour back", fault=wall_clock_steps, launcher=faketime, processor=3,
         config=replace(CALM, silence_limit=100),  # libfaketime is slow
         within=1, sign_ins=0),
    Case(name="wall clock an hour back while waiting", fault=wall_clock_steps_in_backoff,
         launcher=faketime, processor=3, within=5, sign_ins=None, rest=1.0, losses=1),
    Case(name="every processor busy with something else", fault=processors_busy, within=2, sign_ins=1, losses=1),
)  # fmt: skip
