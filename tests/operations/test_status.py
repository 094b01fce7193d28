"""The status place, asked over real sockets by a client that is not the library's."""

import asyncio
import http.client
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agentcp_fsm import AsyncConnection, ConfigError, Connection, State
from agentcp_fsm.errors import StatusError, UnreachableError
from agentcp_fsm.operations import status
from agentcp_fsm.operations.address import StatusAddress
from agentcp_fsm.operations.asking import ask, read_status
from agentcp_fsm.operations.status import StatusPlace
from agentcp_fsm.operations.status_thread import StatusThread
from tests.connection.peer import PATIENT, Peer, connect, nothing_left
from tests.needs import needs_posix
from tests.waiting import online, until

ANY_PORT = "127.0.0.1:0"


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


def get(address: str, page: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    where = StatusAddress.parse(address)
    client = http.client.HTTPConnection(where.host, where.port, timeout=30)
    client.request(method, page, headers=headers)
    answer = client.getresponse()
    body = answer.read().decode()
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    client.close()
    return answer.status, body


def answers(address: str) -> bool:
    try:
        return get(address, "/livez")[0] == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def test_it_shows_agents_that_come_and_go(peer: Peer) -> None:
    agents: list[Connection] = []
    with nothing_left(), StatusThread(ANY_PORT, agents) as place:
        assert get(place.address, "/readyz") == (503, "there are no agents\n")
        with connect(peer, "alice.agentid.pub", PATIENT) as alice, connect(peer, "bob.agentid.pub", PATIENT) as bob:
            agents += [alice, bob]
            online(alice)
            online(bob)
            assert get(place.address, "/readyz") == (200, "alice.agentid.pub ONLINE\nbob.agentid.pub ONLINE\n")
            assert get(place.address, "/livez") == (200, "live\n")
            bob.stop()
            assert get(place.address, "/readyz") == (503, "alice.agentid.pub ONLINE\nbob.agentid.pub OFFLINE\n")
            code, body = get(place.address, "/status")
            content = json.loads(body)
            assert (code, content["version"]) == (200, status.VERSION)
            assert [each["agent_id"] for each in content["agents"]] == ["alice.agentid.pub", "bob.agentid.pub"]
            assert [each["state"] for each in read_status(place.address)] == ["ONLINE", "OFFLINE"]
            assert set(content["agents"][0]) == set(alice.health().to_dict())
        assert get(place.address, "/livez") == (200, "live\n"), "at rest there is no loop that could hang"


def test_a_blocked_loop_is_not_live(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(peer, config=PATIENT) as connection:
        online(connection)
        loop, blocked, end = connection.loop, threading.Event(), threading.Event()
        assert loop is not None
        with StatusThread(ANY_PORT, [connection]) as place:

            def block() -> None:
                blocked.set()
                end.wait(30)

            loop.call_soon_threadsafe(block)
            assert blocked.wait(30)
            monkeypatch.setattr(status, "TURN_WITHIN", 0.05)
            assert get(place.address, "/livez")[0] == 503
            end.set()
            monkeypatch.setattr(status, "TURN_WITHIN", 30.0)
            assert get(place.address, "/livez")[0] == 200


def test_it_lives_in_the_loop_of_an_asyncio_program(peer: Peer) -> None:
    async def program() -> None:
        agent = AsyncConnection("alice.agentid.pub", authenticator=peer, config=PATIENT)
        async with agent, StatusPlace(ANY_PORT, [agent]) as place:
            assert agent.loop is asyncio.get_running_loop()
            assert await agent.wait_for(State.ONLINE, timeout=20)
            for page in ("/livez", "/readyz"):
                assert (await asyncio.to_thread(get, place.address, page))[0] == 200
        assert agent.loop is None

    asyncio.run(program())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_page_in_a_browser_cannot_reach_it_by_a_name_of_its_own(host: str) -> None:
    with StatusThread(ANY_PORT, []) as place:
        code, body = get(place.address, "/status", Host=host)
        assert code == 421
        assert "agents" not in body


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "127.0.0.1", "[::1]:9", "192.0.2.1:8764"])
def test_it_is_asked_by_an_address_or_as_localhost(host: str) -> None:
    with StatusThread(ANY_PORT, []) as place:
        assert get(place.address, "/status", Host=host)[0] == 200


def test_it_is_only_read() -> None:
    with StatusThread(ANY_PORT, []) as place:
        assert get(place.address, "/livez", "HEAD") == (200, "")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            assert get(place.address, "/livez", method)[0] == 405
        assert get(place.address, "/")[0] == 404


def test_metrics_are_handed_in() -> None:
    with StatusThread(ANY_PORT, []) as place:
        code, body = get(place.address, "/metrics")
        assert code == 404
        assert "no metrics are configured" in body
    with StatusThread(ANY_PORT, [], metrics=lambda: (b"up 1\n", "text/plain; version=0.0.4")) as place:
        assert get(place.address, "/metrics") == (200, "up 1\n")


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "169.254.1.1:1"])
def test_other_machines_are_let_in_by_a_loud_word_only(address: str) -> None:
    with pytest.raises(ConfigError, match="insecure_allow_any_address"):
        StatusPlace(address, [])
    StatusPlace(address, [], insecure_allow_any_address=True)


@pytest.mark.parametrize("address", ["", "8764", "localhost:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"status address .* give 127"):
        StatusPlace(address, [])


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:8764", "unix:/run/agent/status"])
def test_an_address_is_written_as_it_is_read(address: str) -> None:
    assert str(StatusAddress.parse(address)) == address
    assert StatusAddress.parse(address).is_local


def test_a_unix_socket_is_for_its_owner_and_takes_the_place_of_a_dead_one(tmp_path: Path) -> None:
    needs_posix("Unix sockets")
    path = tmp_path / "status"
    address = f"unix:{path}"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with nothing_left(), StatusThread(address, []):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert read_status(address) == read_status(str(path)) == []
        with pytest.raises(OSError, match=r"no status place at unix:.*: Address already in use"):
            StatusThread(address, []).open()
        assert read_status(address) == []
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(OSError, match="Address already in use"):
        StatusThread(address, []).open()
    assert path.read_text() == "mine"


def test_a_port_that_is_taken_is_named() -> None:
    with (
        StatusThread(ANY_PORT, []) as place,
        pytest.raises(OSError, match=f"no status place at {place.address}: Address already in use"),
    ):
        StatusThread(place.address, []).open()


def test_clients_are_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that says nothing holds its place only so long, and others are turned away meanwhile."""
    monkeypatch.setattr(status, "CLIENTS_MAX", 1)
    monkeypatch.setattr(status, "REQUEST_WITHIN", 1.0)
    with StatusThread(ANY_PORT, []) as place:
        where = StatusAddress.parse(place.address)
        silent = socket.create_connection((where.host, where.port), timeout=30)
        another = socket.create_connection((where.host, where.port), timeout=30)
        with silent, another:
            for client in (another, silent):  # the first at once, the other after its time
                with suppress(ConnectionResetError):
                    assert client.recv(1) == b""
        until(lambda: answers(place.address), what="the place is not free again")


def test_what_is_no_http_does_no_harm() -> None:
    with StatusThread(ANY_PORT, []) as place:
        where = StatusAddress.parse(place.address)
        for garbage in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000):
            client = socket.create_connection((where.host, where.port), timeout=30)
            with client, suppress(ConnectionError):
                client.sendall(garbage + b"\r\n\r\n")
                client.recv(65536)
        assert get(place.address, "/livez")[0] == 200


def test_a_client_says_what_it_found_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=f"no status place answers at {address}"):
            ask(address, "/livez", timeout=0.05)
    with pytest.raises(UnreachableError, match="refused"):
        ask(address, "/livez")
    with StatusThread(ANY_PORT, []) as place:
        monkeypatch.setattr(status, "VERSION", 2)
        with pytest.raises(StatusError, match="another form"):
            read_status(place.address)
        monkeypatch.setattr(status, "status_of", lambda agents: [1])
        with pytest.raises(StatusError, match="something else than a status place"):
            read_status(place.address)


def test_the_package_does_not_load_it() -> None:
    code = "import sys, agentcp_fsm.connection; print([name for name in sys.modules if 'operations' in name])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
