"""The zone of an IPv6 address in a URL: the interface of this machine by whose link the server is reached."""

import subprocess
import sys
from typing import Any

import pytest

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.sign_in import AuthClient
from agentcp_fsm.sign_in.zones import with_zone, without_zone
from tests.needs import needs_program, needs_root


@pytest.mark.parametrize(
    ("url", "plain", "zone"),
    [
        ("http://[fe80::1%25eth0]:80/x", "http://[fe80::1]:80/x", "eth0"),
        ("https://[fe80::1%eth0.100]/", "https://[fe80::1]/", "eth0.100"),
        ("HTTPS://[FE80::1%252]", "HTTPS://[FE80::1]", "2"),
        ("https://[fe80::1]/%25eth0", "https://[fe80::1]/%25eth0", ""),
        ("https://host%25eth0/", "https://host%25eth0/", ""),
        ("https://[fe80::1%25a/b]/", "https://[fe80::1%25a/b]/", ""),
    ],
)
def test_it_is_taken_out_of_a_url(url: str, plain: str, zone: str) -> None:
    assert without_zone(url) == (plain, zone)
    assert with_zone("fe80::1", zone) == (f"fe80::1%{zone}" if zone else "fe80::1")


@pytest.mark.parametrize("url", ["https://[fe80::1%25a/b]", "https://host%25eth0"])
def test_what_is_no_zone_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        AuthClient(url)


def test_a_client_keeps_it() -> None:
    options: dict[str, Any] = {"allow_insecure_http": True}
    for written in ("%25eth0", "%eth0"):
        with AuthClient(f"http://[fe80::1{written}]:8765/", **options) as client:
            assert client._server_url == "http://[fe80::1%25eth0]:8765"


LIVES = """
import sys
from agentcp_fsm import Connection, State
from agentcp_fsm.doctor import Examination, server_at
from agentcp_fsm.server import ServerThread
from agentcp_fsm.sign_in import Credentials
from tests.sign_in.calls import CREDENTIALS
from tests.timings import SCALED

with ServerThread("fe80::1%link0", next_beat=0.1) as server:
    print(server.url.rpartition(":")[0])
    for url in (server.url, server.url.replace("%25", "%"), server.url.replace("%25link0", "%257")):
        agent = CREDENTIALS.agent_id
        with Connection(agent, url, credentials=CREDENTIALS, config=SCALED, allow_insecure_http=True) as connection:
            assert connection.wait_for(State.ONLINE, timeout=10), connection.health()
            print(connection.health().server.rpartition(":")[0])
    print(server.statistics().sign_outs)
"""
NAMESPACE = """
ip link set lo up
ip link add link0 index 7 type veth peer name link1
ip link set link0 addrgenmode none
ip address add fe80::1/64 dev link0 nodad
ip link set link0 up
ip link set link1 up
exec "$0" -c "$1"
"""


def test_an_agent_and_its_server_on_one_link() -> None:
    """No such URL worked, nor a server on such an address."""
    needs_root()
    needs_program("unshare", "util-linux")
    needs_program("ip", "iproute2")
    ended = subprocess.run(
        ["unshare", "--net", "sh", "-ec", NAMESPACE, sys.executable, LIVES],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.split() == ["http://[fe80::1%25link0]", "fe80::1%7", "fe80::1%7", "fe80::1%7", "3"], (
        ended.stderr
    )
