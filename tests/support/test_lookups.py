"""Look-ups of names in bounded time, whatever the system's resolver does."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentcp_fsm.support import lookups
from tests.needs import needs_posix
from tests.waiting import until, until_it_ends

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]


class Resolver:
    """Takes the place of `socket.getaddrinfo`, with its arguments by position only; it hangs until released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0, /) -> Any:
        self.asked.append(host)
        if host.startswith("hung"):
            self.released.wait(30)
        if host.startswith("no"):
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        if host.startswith("bad"):
            raise LookupError("of the program's own")
        return FOUND


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.released.set()
    until(lambda: not lookups._open)


def resolve(host: str, seconds: float = 10.0) -> object:
    return lookups.resolve(host, 80, socket.SOCK_STREAM, seconds)


def test_what_is_found_is_returned_and_what_is_raised_is_raised(resolver: Resolver) -> None:
    assert resolve("well.example") == FOUND
    with pytest.raises(socket.gaierror, match="not known"):
        resolve("no.example")
    with pytest.raises(OSError, match="LookupError: of the program's own"):
        resolve("bad.example")


def test_a_look_up_that_hangs_is_given_up_in_its_time_and_delays_no_other(resolver: Resolver) -> None:
    before = time.monotonic()
    with pytest.raises(TimeoutError, match=r"hung\.example was not resolved within 0\.1 s"):
        resolve("hung.example", 0.1)
    assert resolve("well.example") == FOUND
    assert resolve("127.0.0.1") == FOUND
    assert time.monotonic() - before < 5


def test_a_question_that_is_open_is_not_asked_again_nor_waited_for_again(resolver: Resolver) -> None:
    with pytest.raises(TimeoutError):
        resolve("hung.example", 0.2)
    before = time.monotonic()
    for _ in range(100):
        with pytest.raises(TimeoutError):
            resolve("hung.example", 0.2)
    assert time.monotonic() - before < 5  # not 100 times 0.2 s, with room for a busy machine
    assert resolver.asked == ["hung.example"]
    assert not lookups._open["hung.example", 80, socket.SOCK_STREAM].waiting
    resolver.released.set()
    assert resolve("hung.example") == FOUND


def test_all_who_ask_get_the_answer(resolver: Resolver) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(resolve("hung.example"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    until(lambda: lookups._open and len(lookups._open["hung.example", 80, socket.SOCK_STREAM].waiting) == 10)
    resolver.released.set()
    for thread in threads:
        thread.join(10)
    assert answers == [FOUND] * 10
    assert resolver.asked == ["hung.example"]


def test_names_that_hang_cost_a_bounded_number_of_threads(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "LIMIT", 3)
    for number in range(3):
        with pytest.raises(TimeoutError):
            resolve(f"hung{number}.example", 0.01)
    with pytest.raises(OSError, match="3 look-ups of other names have not ended"):
        resolve("well.example")
    assert resolve("127.0.0.1") == FOUND


def test_a_forked_child_looks_up_anew(resolver: Resolver) -> None:
    needs_posix("a process forks")
    with pytest.raises(TimeoutError):
        resolve("hung.example", 0.01)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resolver.released.set()
            assert resolve("hung.example") == FOUND
            status = 0
        finally:
            os._exit(status)
    until_it_ends(child)
