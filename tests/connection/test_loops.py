"""Which loop the background thread runs, by what there is in the process: closed streams, greenlets, no uvloop."""

import os
import subprocess
import sys

import pytest

from tests.connection.peer import Peer

LIVES = """
import sys, time
from agentcp_fsm import Connection, Session, State
class There:
    def sign_in(self, abandonment): return Session("127.0.0.1", int(sys.argv[1]), 7, "token")
    def sign_out(self, session): pass
connection = Connection("alice.agentid.pub", authenticator=There())
connection.start()
assert connection.wait_for(State.ONLINE, timeout=10)
time.sleep(0.1)
assert connection.stop()
"""
WITHOUT_UVLOOP = "import sys; sys.modules['uvloop'] = None\n"


def assert_lives(program: str, *, closed: tuple[int, ...] = ()) -> None:
    with Peer() as peer:
        port = str(peer.socket.getsockname()[1])
        command = [sys.executable, "-W", "ignore", "-c", program, port]
        if closed:
            redirections = " ".join(f"{number}>&-" for number in closed)
            command = ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *command]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=40, check=False, cwd=os.getcwd())
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_a_process_without_a_standard_stream_survives_a_stop(closed: tuple[int, ...]) -> None:
    """uvloop aborted it: what libuv opened had the number of the stream, and it closes no such thing."""
    assert_lives(LIVES, closed=closed)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_standard_stream_may_be_closed_while_connected(closed: int) -> None:
    assert_lives(LIVES.replace("time.sleep(0.1)", f"import os; os.close({closed})"))


@pytest.mark.parametrize("uvloop", ["", WITHOUT_UVLOOP], ids=["uvloop", "asyncio"])
@pytest.mark.parametrize(
    "patch",
    [
        "from gevent import monkey; monkey.patch_all()",
        "from gevent import monkey; monkey.patch_all(thread=False)",
        "import eventlet; eventlet.monkey_patch()",
        "import eventlet; eventlet.monkey_patch(thread=False)",
    ],
)
def test_a_patched_process_connects_and_stops(patch: str, uvloop: str) -> None:
    """`start` never returned: uvloop held the one thread that there was."""
    assert_lives(f"{patch}\n{uvloop}{LIVES}")
