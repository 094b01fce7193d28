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
        self.hangs = True
        self.fails = False

    def __call__(self, host: str, port: int, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0, /) -> Any:
        self.asked.append(host)
        if host.startswith("hung") and self.hangs:
            self.released.wait(30)
        if host.startswith("no") or self.fails:
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


def open_ones(host: str) -> list[lookups.Lookup]:
    return lookups._open.get((host, 80, socket.SOCK_STREAM), [])


def test_a_question_that_hangs_is_asked_anew_some_times_and_then_costs_nothing(resolver: Resolver) -> None:
    """One that hung while the network was away was shared until it ended: an agent waited for it when all was well."""
    before = time.monotonic()
    for _ in range(100):
        with pytest.raises(TimeoutError):
            resolve("hung.example", 0.2)
    assert time.monotonic() - before < 10  # not 100 times 0.2 s, with room for a busy machine
    assert resolver.asked == ["hung.example"] * lookups.LIMIT_EACH
    assert not any(each.waiting for each in open_ones("hung.example"))
    resolver.released.set()
    assert resolve("hung.example") == FOUND


def test_the_first_answer_is_everybodys_and_no_later_failure_takes_it_back(resolver: Resolver) -> None:
    notified: list[str] = []
    hung = lookups.ask("hung.example", 80, socket.SOCK_STREAM, lambda: notified.append("first"), 60)
    resolver.hangs = False
    asked_anew = lookups.ask("hung.example", 80, socket.SOCK_STREAM, lambda: notified.append("second"), 0)
    until(lambda: sorted(notified) == ["first", "second"])
    assert asked_anew.result() == hung.result() == FOUND
    resolver.fails = True
    resolver.released.set()
    until(lambda: not open_ones("hung.example"))
    assert hung.result() == FOUND
    assert sorted(notified) == ["first", "second"]


def test_a_failure_is_that_of_its_own_question_alone(resolver: Resolver) -> None:
    notified = threading.Event()
    hung = lookups.ask("hung.example", 80, socket.SOCK_STREAM, bool, 60)
    resolver.hangs, resolver.fails = False, True
    failed = lookups.ask("hung.example", 80, socket.SOCK_STREAM, notified.set, 0)
    assert notified.wait(10)
    with pytest.raises(socket.gaierror):
        failed.result()
    assert hung.waiting
    resolver.fails = False
    resolver.released.set()
    until(lambda: not hung.waiting)
    assert hung.result() == FOUND


def test_all_who_ask_get_the_answer(resolver: Resolver) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(resolve("hung.example"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    until(lambda: [len(each.waiting) for each in open_ones("hung.example")] == [10])
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
    with pytest.raises(OSError, match="3 look-ups of names have not ended"):
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
