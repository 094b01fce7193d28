"""Traps of Windows alone: its errors of UDP sockets, its clock, and calls that nothing wakes."""

import errno
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentcp_fsm.connection import udp
from agentcp_fsm.connection.udp import RECEIVED, UdpSocket, is_broken
from agentcp_fsm.errors import CredentialsError, FailureKind, SignInError, WireError
from agentcp_fsm.sign_in import waits
from agentcp_fsm.sign_in.call import Call, Timeouts
from agentcp_fsm.sign_in.http import Transport
from agentcp_fsm.sign_in.identities import make_identity
from agentcp_fsm.support.abandonment import Abandonment
from agentcp_fsm.wire import codec_named
from tests.needs import needs_linux, needs_posix
from tests.platforms.programs import output_of, without
from tests.waiting import until

# The socket -----------------------------------------------------------------------------------------------------------


class WindowsError(OSError):
    def __init__(self, number: int) -> None:
        super().__init__(number, "as Windows says it")
        self.winerror = number


def fails_to_receive(opened: UdpSocket, number: int) -> None:
    """Have the system's own socket fail with an error of Windows."""

    class Failing:
        def __init__(self, own: Any) -> None:
            self._own = own

        def __getattr__(self, name: str) -> Any:
            return getattr(self._own, name)

        def recv(self, *_: object) -> bytes:
            raise WindowsError(number)

    opened._socket = Failing(opened._socket)  # type: ignore[assignment]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def opened(server: socket.socket) -> Iterator[UdpSocket]:
    opened = UdpSocket(*server.getsockname())
    yield opened
    opened.close()


def test_a_datagram_that_found_nobody_is_refused_and_no_end(opened: UdpSocket) -> None:
    """Windows says that the connection was reset (10054), of a socket that has none."""

    fails_to_receive(opened, 10054)
    with pytest.raises(ConnectionRefusedError, match="nobody listens at the server's port") as caught:
        opened.receive()
    assert not is_broken(caught.value)


def test_a_datagram_that_is_too_long_is_malformed(opened: UdpSocket) -> None:
    """Windows has an error for it (10040) and keeps nothing of the datagram, where other systems cut it off."""

    fails_to_receive(opened, 10040)
    data = opened.receive()
    assert data is not None
    assert len(data) == RECEIVED
    with pytest.raises(WireError, match="bytes, more than"):
        codec_named("agentcp").decode(data)


def test_a_socket_that_receives_no_more_is_broken_by_its_own_error() -> None:
    assert is_broken(OSError(errno.ESHUTDOWN, "shut down"))


def test_without_a_flag_a_socket_that_somebody_made_block_blocks_nothing(
    opened: UdpSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "DONTWAIT", 0)
    with socket.fromfd(opened.fileno(), socket.AF_INET, socket.SOCK_DGRAM) as duplicate:
        duplicate.setblocking(True)
        assert opened.receive() is None


@pytest.mark.parametrize("waiting", [b"", b"something"])
def test_without_poll_a_socket_with_something_to_read_is_not_shut_down(
    waiting: bytes, opened: UdpSocket, server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("select.poll", raising=False)
    assert opened.receive() is None
    opened.send(b"here I am")
    _, address = server.recvfrom(100)
    server.sendto(b"", address)
    server.sendto(waiting, address)
    got: list[bytes] = []

    def both() -> bool:
        if (data := opened.receive()) is not None:
            got.append(data)
        return len(got) == 2

    until(both)
    assert got == [b"", waiting]


def test_where_sockets_are_no_files_a_socket_is_known_by_its_address(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_posix("a descriptor takes another's place")
    status = os.fstat

    def no_file(number: int) -> os.stat_result:
        found = status(number)
        if stat.S_ISSOCK(found.st_mode):
            raise OSError(errno.EBADF, "no file")
        return found

    monkeypatch.setattr(os, "fstat", no_file)
    mine, other = UdpSocket(*server.getsockname()), UdpSocket(*server.getsockname())
    number = mine.fileno()
    os.dup2(other.fileno(), number)  # somebody closed it, and another has its number now
    mine.close()
    with socket.socket(fileno=number) as still_open:
        assert still_open.getsockname() == other.local_address()
    other.close()
    assert other.fileno() == -1


# The clock ------------------------------------------------------------------------------------------------------------

TIMERS = """
import asyncio, json, time
from agentcp_fsm.connection.timers import Timers

class Timed:
    armed_at = float("inf")
    def __init__(self):
        self.woken = asyncio.get_running_loop().create_future()
    def wake(self):
        self.woken.set_result(time.monotonic())
        return float("inf")

wakes = 0
own = Timers._wake
def counted(self):
    global wakes
    wakes += 1
    own(self)
Timers._wake = counted

async def main():
    timers, early, late = Timers(asyncio.get_running_loop()), 0, 0.0
    for number in range(30):
        timed, deadline = Timed(), time.monotonic() + number / 1000
        timers.arm(timed, deadline)
        woken = await timed.woken
        early += woken < deadline
        late = max(late, woken - deadline)
    print(json.dumps({"wakes": wakes, "early": early, "late": late}))

asyncio.run(main())
"""


def test_timers_on_a_coarse_clock_are_never_early_and_do_not_spin() -> None:
    """asyncio runs a timer up to one step of the clock too early: it was set again and again until the clock moved."""
    needs_linux("the clock is made coarse")
    seen = json.loads(output_of(without(["clock"], TIMERS)))
    assert seen["early"] == 0
    assert seen["wakes"] == 30


# Calls that nothing wakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [True, False], ids=["reading", "connecting"])
def test_an_abandoned_call_ends_where_nothing_wakes_it(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "ABANDONING_WAKES", False)
    monkeypatch.setattr(Abandonment, "_wake", lambda self: None)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [] if answers else _fill(listening)
        abandonment = Abandonment()
        failures: list[SignInError] = []

        def call() -> None:
            try:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
                Transport().post(url, {}, {}, Call.begin(Timeouts(60, 60, 60), abandonment), True)
            except SignInError as error:
                failures.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        if answers:
            accepted, _ = listening.accept()
            accepted.recv(100)
        before = time.monotonic()
        abandonment.abandon()
        thread.join(30)
        assert [failure.kind for failure in failures] == [FailureKind.ABANDONED]
        assert time.monotonic() - before < 20
        for filler in fillers:
            filler.close()
        if answers:
            accepted.close()


def _fill(listening: socket.socket) -> list[socket.socket]:
    """Have the next connection wait: as many as the backlog takes are there already."""
    fillers = []
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listening.getsockname())
        fillers.append(filler)
    return fillers


# Files ----------------------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_no_obstacle_where_a_folder_cannot_take_anothers_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def never_onto_another(source: str, target: str) -> None:
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, "exists", target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", never_onto_another)
    folder = tmp_path / "alice.agentid.pub" / "private" / "certs"
    folder.mkdir(parents=True)
    make_identity(tmp_path, "alice.agentid.pub")
    with pytest.raises(CredentialsError, match="exists"):
        make_identity(tmp_path, "alice.agentid.pub")
