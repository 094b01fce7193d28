"""Programs that put sockets of their own in the place of the standard library's."""

import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from agentcp_fsm.connection.udp import UdpSocket
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in.http import _other_end
from agentcp_fsm.sign_in.identities import make_identity

WITH_PYSOCKS = """
import socket, sys
import socks
socket.socket = socks.socksocket
from agentcp_fsm import Connection, Credentials, State
credentials = Credentials.load(sys.argv[2], "alice.agentid.pub")
with Connection("alice.agentid.pub", sys.argv[1], credentials=credentials) as connection:
    print(connection.wait_for(State.ONLINE, timeout=10), connection.health().statistics.send_failures)
"""


def test_pysocks_without_a_proxy(server: ServerThread, tmp_path: Path) -> None:
    """No heartbeat could be sent: its sockets bind anew before each datagram."""
    make_identity(tmp_path, "alice.agentid.pub")
    command = [sys.executable, "-c", WITH_PYSOCKS, server.url, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("True 0\n", "")


def test_with_a_proxy_its_own_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Datagrams must not leave by another way than a program has chosen for all it sends."""

    class Proxied(socket.socket):
        default_proxy = ("socks5", "127.0.0.1", 9)

        def connect(self, address: object) -> None:
            raise OSError("by way of the proxy")

    monkeypatch.setattr(socket, "socket", Proxied)
    with pytest.raises(OSError, match="by way of the proxy"):
        UdpSocket("127.0.0.1", 9)


def test_a_connection_of_pyopenssl_has_a_socket_and_is_none() -> None:
    """Its kind of connection has no `getpeername`: each sign-in failed."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as opened,
    ):
        assert _other_end(SimpleNamespace(socket=opened)) == _other_end(opened) == ("loopback", "")
