"""SIGPIPE at its default, which ends a process: not for what the library writes to a connection that is closed.

And calls that no signal's handler interrupts.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from agentcp_fsm.support.signals import uninterrupted, without_sigpipe
from tests.waiting import until_it_ends


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


WRITES = """
import signal, socket, sys
from agentcp_fsm.support.signals import without_sigpipe
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
def write():
    ours, theirs = socket.socketpair()
    theirs.close()
    try:
        ours.send(b"x")
    except BrokenPipeError:
        print("broken", flush=True)
    ours.close()
for _ in range(2):
    with without_sigpipe():
        write()
        write()
if sys.argv[1] == "outside":
    write()
"""


@pytest.mark.parametrize(("where", "status"), [("inside", 0), ("outside", -signal.SIGPIPE)])
def test_a_write_is_an_error_inside_and_what_it_was_outside(where: str, status: int) -> None:
    ended = run(WRITES, where)
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (status, ["broken"] * 4, "")


def test_the_threads_mask_is_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(BrokenPipeError), without_sigpipe():
        ours.send(b"x")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert signal.SIGPIPE not in signal.sigpending()


LIVES = """
import random, signal, sys, time
from agentcp_fsm import Config, Connection, Credentials
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
credentials = Credentials.load(sys.argv[2], "alice.agentid.pub")
chance = random.Random(1)
for _ in range(150):
    config = Config(sign_in_interval_min=0.0, interval_min=0.1)
    connection = Connection("alice.agentid.pub", sys.argv[1], credentials=credentials, config=config)
    connection.start()
    time.sleep(chance.random() * 0.02)
    connection.stop()
print("lives")
"""


def test_stops_in_the_midst_of_sign_ins(server: ServerThread, tmp_path: Path) -> None:
    """One of some dozens ended the process."""
    make_identity(str(tmp_path), "alice.agentid.pub")
    ended = run(LIVES, server.url, str(tmp_path))
    assert (ended.returncode, ended.stdout) == (0, "lives\n"), ended.stderr


def test_an_uninterrupted_call_returns_and_raises_what_it_does() -> None:
    assert uninterrupted(lambda: 7) == 7
    with pytest.raises(KeyboardInterrupt):
        uninterrupted(lambda: signal.default_int_handler(signal.SIGINT, None))


def test_a_signal_s_handler_runs_beside_an_uninterrupted_call_and_may_wait_for_it() -> None:
    events, handled = list[str](), threading.Event()
    returned = threading.Lock()

    def call() -> None:
        with returned:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert handled.wait(10)
            events.append("call")

    def handle(number: int, frame: object) -> None:
        handled.set()
        with returned:
            events.append("handler")

    before = signal.signal(signal.SIGUSR2, handle)
    try:
        uninterrupted(call)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert events == ["call", "handler"]


def test_without_another_thread_the_call_is_made_in_the_main_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert uninterrupted(threading.current_thread) is threading.main_thread()


def test_a_child_that_the_handler_forks_does_not_wait_for_its_parent_s_call() -> None:
    children, go_on = list[int](), threading.Event()

    def call() -> int:
        os.kill(os.getpid(), signal.SIGUSR2)
        assert go_on.wait(10)
        return 7

    def fork(number: int, frame: object) -> None:
        children.append(os.fork())
        go_on.set()

    before = signal.signal(signal.SIGUSR2, fork)
    result: int | None = 1
    try:
        result = uninterrupted(call)
    finally:
        if children == [0]:
            os._exit(0 if result is None else 1)
        signal.signal(signal.SIGUSR2, before)
    assert result == 7
    until_it_ends(children[0])
