"""Connections and the life of processes: the exit of the interpreter, and forks."""

import os
import subprocess
import sys
import threading
import time

from agentcp_fsm import Connection, State
from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_posix
from tests.waiting import until_it_ends

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
import atexit, time
def stop_late():
    before = time.monotonic()
    print(connection.stop(), time.monotonic() - before < 2)
atexit.register(stop_late)  # before the library's own, so that it is called after that
from tests.needs import needs_posix
from agentcp_fsm import Connection
class Refusing:
    def sign_in(self, abandonment): raise OSError("nobody there")
    def sign_out(self, session): pass
connection = Connection("alice.agentid.pub", authenticator=Refusing())
connection.start()
connection.wait_for("BACKOFF")
"""


def test_stop_after_the_interpreter_ended_the_loop_waits_for_nothing() -> None:
    ended = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (0, "False True\n"), ended.stderr


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
