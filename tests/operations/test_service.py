"""What a service manager hears, on a real notify socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentcp_fsm.operations.service import STATUS_MAX, Service
from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_posix
from tests.waiting import online, pause

ALICE = "alice.agentid.pub"


class Manager:
    """The manager's end of a notify socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(30)

    def next(self) -> str:
        return self.socket.recv(65536).decode()

    def silent(self) -> bool:
        self.socket.setblocking(False)
        try:
            self.socket.recv(65536)
        except BlockingIOError:
            return True
        finally:
            self.socket.settimeout(30)
        return False


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    needs_posix("Unix sockets")
    address = str(tmp_path / "notify") if request.param == "path" else f"@agentcp-{tmp_path}"[:100]
    if request.param == "abstract" and not Path("/proc/net/unix").exists():
        pytest.skip("abstract sockets are Linux's")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    manager = Manager(address)
    with manager.socket:
        yield manager


def test_it_says_what_happens(manager: Manager) -> None:
    with Service([]) as service:
        service.ready()
        service.status("one\ntwo " + "é" * 2000)
        service.stopping()
        service.tick()
        assert manager.next() == "READY=1"
        status = manager.next()
        assert status.startswith("STATUS=one two é")
        assert len(status) == len("STATUS=") + STATUS_MAX
        assert manager.next() == "STOPPING=1"
        assert manager.silent(), "no watchdog waits"


def test_what_a_busy_manager_did_not_take_is_said_again(manager: Manager) -> None:
    """A status was lost, and nothing said it again; a lost READY has the service fail."""
    with Service([]) as service:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            sent = 0
            try:
                while True:
                    other.sendto(b"noise", manager.socket.getsockname())
                    sent += 1
            except BlockingIOError:
                pass
        service.ready()
        service.status("one")
        service.status("two")
        service.tick()
        assert [manager.next() for _ in range(sent)] == ["noise"] * sent
        assert manager.silent()
        service.tick()
        assert [manager.next(), manager.next()] == ["READY=1", "STATUS=two"]
        service.tick()
        assert manager.silent()


def test_the_watchdog_is_fed_only_while_the_loop_turns(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000")
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        online(connection)
        with Service([connection]) as service:

            def fed() -> str:
                while manager.silent():
                    service.tick()
                    pause()
                return "fed"

            assert fed()
            loop, blocked, end = connection.loop, threading.Event(), threading.Event()
            assert loop is not None

            def block() -> None:
                blocked.set()
                end.wait(30)

            loop.call_soon_threadsafe(block)
            assert blocked.wait(30)
            for _ in range(3):  # what was asked before it was blocked may have been answered
                service.tick()
                pause()
            while not manager.silent():
                pass
            for _ in range(20):
                service.tick()
                pause()
            assert manager.silent(), "fed while the loop is blocked"
            end.set()
            assert fed()


@pytest.mark.parametrize(("pid", "usec"), [("1", "3000"), ("", "x"), ("x", "3000"), ("", "0"), ("", "")])
def test_a_watchdog_of_another_process_or_none_is_not_fed(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, pid: str, usec: str
) -> None:
    monkeypatch.setenv("WATCHDOG_PID", pid)
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    with Service([]) as service:
        for _ in range(5):
            service.tick()
            pause()
        assert manager.silent()


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with Service([]) as service:
        service.ready()
        service.tick()


def test_a_manager_that_is_gone_is_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    needs_posix("Unix sockets")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with Service([]) as service:
        service.ready()
    assert "cannot be notified (READY)" in caplog.text
