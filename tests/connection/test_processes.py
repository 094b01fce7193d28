"""Connections and the life of processes: the exit of the interpreter, and forks."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentcp_fsm import Connection, State
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.identities import make_identity
from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_posix
from tests.waiting import online, until, until_it_ends

HANGING = """
import sys, threading
from agentcp_fsm import Connection, Session, State
class Hanging:
    def sign_in(self, abandoned):
        print("hanging", flush=True)
        threading.Event().wait()
    def sign_out(self, session): pass
connection = Connection("alice.agentid.pub", authenticator=Hanging())
connection.start()
connection.wait_for(State.SIGNING_IN)
while "agentcp-http" not in {thread.name for thread in threading.enumerate()}: pass
"""


def test_the_interpreter_exits_promptly_while_a_sign_in_hangs() -> None:
    before = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - before < 10


LATE = """
import atexit, sys, threading, time
def stop_late():
    before = time.monotonic()
    print(connection.stop(), connection.state, time.monotonic() - before < 2)
def start_no_thread(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")
def forbid_threads():
    threading.Thread.start = start_no_thread
before, state, url, folder = sys.argv[1:]
if before == "before":
    atexit.register(stop_late)
from agentcp_fsm import Config, Connection, Credentials
connection = Connection(
    "alice.agentid.pub",
    url,
    credentials=Credentials.load(folder, "alice.agentid.pub"),
    config=Config(interval_max=5.0, sign_in_interval_min=0.1, backoff_initial=20.0),
)
if before == "after":
    atexit.register(stop_late)
atexit.register(forbid_threads)  # as from Python 3.12 on
connection.start()
assert connection.wait_for(state, timeout=10)
while "agentcp-http" in {thread.name for thread in threading.enumerate()}: time.sleep(0.01)  # none is left idle
"""


@pytest.mark.parametrize("before", ["before", "after"])
def test_a_stop_at_exit_signs_out(before: str, server: ServerThread, tmp_path: Path) -> None:
    """It did not if the program registered it before the library's own handler, nor where no thread can be started."""
    make_identity(tmp_path, "alice.agentid.pub")
    url = server.url.replace("127.0.0.1", "localhost")  # a name, which is looked up
    ended = _run(LATE, before, "ONLINE", url, str(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True OFFLINE True\n", "")
    assert server.statistics().sign_outs == 1


@pytest.mark.parametrize("before", ["before", "after"])
def test_a_stop_at_exit_without_a_session_waits_for_nothing(before: str, tmp_path: Path) -> None:
    make_identity(tmp_path, "alice.agentid.pub")
    ended = _run(LATE, before, "BACKOFF", "http://127.0.0.1:9", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (0, "True OFFLINE True\n"), ended.stderr


RESTS = """
import atexit, threading
def check():
    ran = threading.Event()
    assert hub._rests_now.wait(20)  # longer than the library waits for it, as on a busy machine
    hub.post(ran.set)
    print("rests:", not ran.wait(0.5), connection.state, connection.stop(), ran.is_set(), peer.sign_outs)
atexit.register(check)
from agentcp_fsm import State
from tests.connection.peer import PATIENT, Peer, connect
peer = Peer()
connection, other = connect(peer, config=PATIENT), connect(peer, "bob.agentid.pub", PATIENT)
for each in (connection, other):
    each.start()
    assert each.wait_for(State.ONLINE, timeout=10)
assert other.stop()
hub = connection._attachment.lease.hub
"""


def test_until_a_stop_at_exit_the_loop_rests() -> None:
    """So that nothing of it runs while the interpreter is taken apart, whoever stopped before."""
    ended = _run(RESTS)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "rests: True ONLINE True True 2\n", "")


def _run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=40, check=False
    )


def test_a_stop_for_whose_sign_out_the_system_has_no_thread_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It returned True."""

    def start_no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Peer() as peer:
        connection = connect(peer, config=PATIENT)
        connection.start()
        online(connection)
        until(lambda: "agentcp-http" not in {thread.name for thread in threading.enumerate()})
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start_no_thread)
            assert connection.stop() is False
        assert connection.state is State.OFFLINE
        assert peer.sign_outs == 0
        assert "the system has no thread for a call that blocks" in caplog.text
        with connection:
            online(connection)
        assert peer.sign_outs == 1


def test_a_forked_child_has_a_clean_slate() -> None:
    needs_posix("a process forks")
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        assert connection.wait_for(State.ONLINE, timeout=10)
        child = os.fork()
        if child == 0:
            failed = 1
            try:
                assert connection.state is State.OFFLINE
                assert not [thread for thread in threading.enumerate() if thread.name.startswith("agentcp")]
                with connect(peer, "child.agentid.pub", PATIENT) as own:
                    assert own.wait_for(State.ONLINE, timeout=10)
                connection.start()
                assert connection.wait_for(State.ONLINE, timeout=10)
                assert connection.stop()
                failed = 0
            finally:
                os._exit(failed)
        until_it_ends(child, 30)
        seen = peer.heartbeats
        peer.wait(lambda: peer.heartbeats > seen + 3)
        assert connection.wait_for(State.ONLINE, timeout=10)
        assert connection.health().statistics.losses == 0


def test_forked_children_do_not_draw_the_same_jitter() -> None:
    needs_posix("a process forks")

    def drawn_by_a_child(connection: Connection) -> bytes:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writer, str(connection._attachment.driver.lifecycle.random.random()).encode())
            finally:
                os._exit(0)
        until_it_ends(child)
        os.close(writer)
        with open(reader, "rb") as drawn:
            return drawn.read()

    with Peer() as peer:
        connection = connect(peer)
        assert len({drawn_by_a_child(connection) for _ in range(5)} - {b""}) == 5


FORKED_IN_C = """
import ctypes, os, sys
from agentcp_fsm import State
from tests.connection.peer import PATIENT, Peer, connect
started, told = sys.argv[1] == "started", sys.argv[2] == "told"
library = ctypes.PyDLL(None)
library.fork.restype = ctypes.c_int
with Peer() as peer:
    connection = connect(peer, config=PATIENT)
    if started:
        connection.start()
        assert connection.wait_for(State.ONLINE, timeout=10)
    child = library.fork()  # with the lock of the interpreter held, and without Python's hooks
    if child == 0:
        if told:
            ctypes.pythonapi.PyOS_AfterFork_Child()
        seen = connection.state
        connection.start()
        print("child:", seen, connection.wait_for(State.ONLINE, timeout=10), connection.stop(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("parent:", connection.state, connection.stop())
"""


HOOKS = ["not told", *(["told"] if sys.version_info < (3, 13) else [])]
"""From Python 3.13 on, to call the hook of the child alone is a fatal error of Python's own."""


@pytest.mark.parametrize("told", HOOKS)
@pytest.mark.parametrize(("started", "state"), [("started", "ONLINE"), ("fresh", "OFFLINE")])
def test_a_fork_by_c_code_that_calls_not_all_hooks_or_none(told: str, started: str, state: str) -> None:
    """As of uWSGI: without any hook the child said that it was ONLINE."""
    needs_posix("a process forks")
    ended = _run(FORKED_IN_C, started, told)
    assert (ended.stdout, ended.stderr) == (f"child: OFFLINE True True\nparent: {state} True\n", "")
