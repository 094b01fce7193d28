"""The threads for calls that may block."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from agentcp_fsm.connection.workers import HandlerQueue, WorkerPool
from tests.needs import needs_linux
from tests.waiting import until


def test_a_pool_runs_every_job_on_at_most_its_limit_of_threads() -> None:
    pool = WorkerPool("test-pool", 3)
    lock, done = threading.Lock(), threading.Semaphore(0)
    running = peak = 0
    gate = threading.Barrier(3)

    def job(first: bool) -> None:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        if first:
            gate.wait(10)  # passes only if three run at once
        with lock:
            running -= 1
        done.release()

    for number in range(30):
        pool.submit(lambda first=number < 3: job(first))  # type: ignore[misc]
    for _ in range(30):
        assert done.acquire(timeout=10)
    assert peak == 3
    pool.close()
    pool.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "test-pool"]


def test_a_pool_grows_to_the_largest_limit_that_was_asked_for() -> None:
    pool = WorkerPool("test-pool")
    gate = threading.Barrier(4)

    def meet() -> None:
        gate.wait(10)

    for limit in (1, 3, 2):
        pool.widen(limit)
    for _ in range(3):
        pool.submit(meet)
    meet()  # passes only if three run at once
    pool.close()
    pool.join(10)


def test_a_job_that_raises_is_logged_and_the_pool_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool("test-pool", 1)
    done = threading.Event()

    def broken() -> None:
        raise RuntimeError("no good")

    with caplog.at_level(logging.ERROR):
        pool.submit(broken)
        pool.submit(done.set)
        assert done.wait(10)
    assert "no good" in caplog.text
    pool.close()
    pool.join(10)


def test_a_closed_pool_drops_what_waits_and_what_comes() -> None:
    pool = WorkerPool("test-pool", 1)
    started, release, ran = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        release.wait(10)

    pool.submit(hold)
    assert started.wait(10)
    pool.submit(ran.set)
    pool.close()
    pool.submit(ran.set)
    pool.join(0.01)  # the job that blocks is not waited for
    release.set()
    pool.join(10)
    assert not ran.is_set()


def test_a_job_that_was_given_up_keeps_no_other_waiting() -> None:
    """It did, and what hung for ever did for ever."""
    pool = WorkerPool("test-pool", 1)
    release, done = threading.Event(), threading.Event()
    started = threading.Semaphore(0)

    def hold() -> None:
        started.release()
        release.wait(10)

    first, second = partial(hold), partial(hold)
    pool.submit(first)
    assert started.acquire(timeout=10)
    pool.submit(second)
    assert pool.give_up(second)  # it had not begun
    pool.submit(done.set)
    assert not pool.give_up(first)
    assert done.wait(10)
    pool.submit(second)
    assert started.acquire(timeout=10)
    pool.submit(done.clear)  # those that nobody waits for count no more, but the others do
    assert done.is_set()
    release.set()
    until(lambda: not done.is_set())
    pool.close()
    pool.join(10)
    assert not pool.give_up(first)
    assert not [thread for thread in threading.enumerate() if thread.name == "test-pool"]


def test_an_idle_thread_of_a_pool_ends_by_itself() -> None:
    pool = WorkerPool("test-pool", 2, linger=0.01)
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(10)
    pool.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "test-pool"]


def test_handlers_run_in_order_one_at_a_time() -> None:
    queue = HandlerQueue(1000, "alice")
    seen: list[int] = []
    for number in range(500):
        queue.submit(lambda number=number: seen.append(number))  # type: ignore[misc]
    queue.join(10)
    assert seen == list(range(500))


def test_a_handler_that_blocks_costs_bounded_memory(caplog: pytest.LogCaptureFixture) -> None:
    queue = HandlerQueue(10, "alice")
    release, started = threading.Event(), threading.Event()
    seen: list[int] = []

    def hold() -> None:
        started.set()
        release.wait(10)

    with caplog.at_level(logging.WARNING):
        queue.submit(hold)
        assert started.wait(10)
        for number in range(100):
            queue.submit(lambda number=number: seen.append(number))  # type: ignore[misc]
    assert queue.dropped == 90
    queue.end_floods()
    assert [record.getMessage() for record in caplog.records] == [
        "alice: a call of a handler is dropped: 10 wait already",
        "alice: a call of a handler is dropped: 10 wait already (... 88 more in 0 s)",
    ]
    release.set()
    queue.join(10)
    assert seen == list(range(10))


def test_a_handler_that_calls_exit_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    queue = HandlerQueue(10, "alice")
    seen: list[int] = []
    with caplog.at_level(logging.ERROR):
        queue.submit(sys.exit)
        queue.submit(lambda: seen.append(1))
        queue.join(10)
    assert seen == [1]
    assert "SystemExit" in caplog.text


def test_a_queue_does_not_wait_for_itself() -> None:
    queue = HandlerQueue(10, "alice")
    done = threading.Event()

    def join_from_inside() -> None:
        queue.join(10)
        done.set()

    queue.submit(join_from_inside)
    assert done.wait(5)


@contextmanager
def no_more_threads() -> Iterator[None]:
    """As the system has it when a process or a user has too many: here, for lack of address space for a stack."""
    needs_linux("a process's address space is limited")
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    threading.stack_size(256 * 1024**2)
    resource.setrlimit(resource.RLIMIT_AS, (used + 64 * 1024**2, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        threading.stack_size(0)


def test_a_pool_without_a_thread_says_so_and_works_again_later() -> None:
    pool = WorkerPool("test-pool", 1)
    done = threading.Semaphore(0)
    with no_more_threads():
        for _ in range(3):
            with pytest.raises(RuntimeError):
                pool.submit(done.release)
    pool.submit(done.release)
    assert done.acquire(timeout=10)
    assert not done.acquire(blocking=False)  # what was refused is not done later
    pool.close()
    pool.join(10)
    assert not [thread for thread in threading.enumerate() if thread.name == "test-pool"]


def test_a_pool_that_cannot_grow_makes_do_with_the_threads_it_has() -> None:
    pool = WorkerPool("test-pool", 2)
    started, release, done = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        release.wait(10)

    pool.submit(hold)
    assert started.wait(10)
    with no_more_threads():
        pool.submit(done.set)
    release.set()
    assert done.wait(10)
    pool.close()
    pool.join(10)


def test_handlers_without_a_thread_wait_for_the_next_call(caplog: pytest.LogCaptureFixture) -> None:
    queue = HandlerQueue(10, "alice")
    seen: list[int] = []
    with no_more_threads(), caplog.at_level(logging.WARNING):
        queue.submit(lambda: seen.append(1))
        queue.join(10)
    assert "1 calls of handlers wait for a thread" in caplog.text
    queue.submit(lambda: seen.append(2))
    queue.join(10)
    assert seen == [1, 2]
