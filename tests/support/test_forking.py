"""A child forked while other threads are busy finds nothing half done, and a fork never waits for ever."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentcp_fsm.connection.workers import WorkerPool
from agentcp_fsm.support import forking
from tests.needs import needs_posix
from tests.waiting import pause, until, until_it_ends

needs_posix("processes fork")


def forked(child: Callable[[], object]) -> int:
    """Have a child do this; returns its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 0
        finally:
            os._exit(status)
    return pid


@contextmanager
def in_a_thread(work: Callable[[], object]) -> Iterator[None]:
    """Somebody does this again and again."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("place", ["root", "agentcp_fsm", "agentcp_fsm.connection.attachment", "another.library"])
def test_a_child_forked_while_a_line_is_written_hangs_in_its_own_first(tmp_path: Path, place: str) -> None:
    """It did: the stream's lock was held for ever."""
    logger = logging.getLogger(None if place == "root" else place)
    handler = logging.FileHandler(tmp_path / "log")
    logger.addHandler(handler)
    try:
        with in_a_thread(lambda: logger.warning("a line")):
            for _ in range(50):
                until_it_ends(forked(lambda: logger.warning("a line of the child")))
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_a_fork_waits_for_a_handler_for_no_longer_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "PATIENCE", 0.1)
    handler = logging.NullHandler()
    handler.lock = lock = threading.RLock()
    logging.root.addHandler(handler)
    taken, forked_it = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            forked_it.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert taken.wait(10)
        began = time.monotonic()
        until_it_ends(forked(lambda: None))
        assert time.monotonic() - began >= 0.1
    finally:
        forked_it.set()
        holder.join()
        logging.root.removeHandler(handler)


def test_handlers_are_as_they_were_after_a_fork() -> None:
    """In the parent and in the child: free for any thread."""

    class Shared(logging.Handler):
        """Of a lock that logging does not know, and does not make anew in the child."""

        def createLock(self) -> None:  # noqa: N802 - it is logging's name
            self.lock = threading.RLock()

        def emit(self, record: logging.LogRecord) -> None: ...

    handlers = (logging.StreamHandler(), Shared(), logging.NullHandler())

    def free() -> None:
        taken: list[bool] = []
        locks = [handler.lock for handler in handlers if handler.lock is not None]
        assert len(locks) == 2
        thread = threading.Thread(target=lambda: taken.extend(lock.acquire(timeout=5) for lock in locks))
        thread.start()
        thread.join()
        assert taken == [True, True]

    for handler in handlers:
        logging.root.addHandler(handler)
    try:
        until_it_ends(forked(free))
        free()
    finally:
        for handler in handlers:
            logging.root.removeHandler(handler)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool("test-pool", 4)
    yield made
    made.close()
    made.join(10)


def test_a_child_forked_in_the_middle_of_a_call_lacks_what_the_call_held(pool: WorkerPool) -> None:
    """It did: a lock of OpenSSL, or of a module in the middle of its import, was held for ever."""
    lock = threading.Lock()

    def call() -> None:
        with lock:
            pause()

    def take() -> None:
        assert lock.acquire(timeout=5)

    def submit() -> None:
        done = threading.Event()
        pool.submit(call)
        pool.submit(done.set)
        done.wait(10)

    with in_a_thread(submit):
        for _ in range(20):
            until_it_ends(forked(take))


def test_a_fork_waits_for_a_call_for_no_longer_than_its_bound(
    monkeypatch: pytest.MonkeyPatch, pool: WorkerPool
) -> None:
    monkeypatch.setattr(forking, "PATIENCE", 0.1)
    begun, go_on = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        go_on.wait()

    pool.submit(call)
    assert begun.wait(10)
    try:
        began = time.monotonic()
        until_it_ends(forked(lambda: None))
        assert time.monotonic() - began >= 0.1
    finally:
        go_on.set()


def test_a_fork_does_not_wait_for_a_call_that_waits_for_somebody_else(
    monkeypatch: pytest.MonkeyPatch, pool: WorkerPool
) -> None:
    monkeypatch.setattr(forking, "PATIENCE", 3600.0)
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        with forking.waiting():
            begun.set()
            go_on.wait()
        over.set()

    pool.submit(call)
    assert begun.wait(10)
    try:
        until_it_ends(forked(lambda: None))
    finally:
        go_on.set()
    assert over.wait(10)


def test_a_call_that_forks_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch, pool: WorkerPool) -> None:
    """And its child, which goes on in the middle of it, can fork in turn."""
    monkeypatch.setattr(forking, "PATIENCE", 3600.0)
    children: list[int] = []
    pool.submit(lambda: children.append(forked(lambda: until_it_ends(forked(lambda: None)))))
    until(lambda: children)
    until_it_ends(children[0])


def test_calls_go_on_after_a_fork_in_the_parent_and_in_the_child(pool: WorkerPool) -> None:
    def one_call() -> None:
        own, done = WorkerPool("test-pool-after"), threading.Event()
        own.submit(done.set)
        assert done.wait(10)
        own.close()

    until_it_ends(forked(one_call))
    one_call()


def test_one_registry_calls_the_hooks_of_a_child_in_the_order_of_their_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of their registration, and even if one raises."""
    called: list[str] = []

    def broken() -> None:
        called.append("broken")
        raise ValueError("a hook of the test")

    monkeypatch.setattr(forking, "_hooks", [])
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: None)
    forking.in_child(forking.Stage.CLIENTS, lambda: called.append("client"))
    forking.in_child(forking.Stage.LOOPS, broken)
    forking.in_child(forking.Stage.CONNECTIONS, lambda: called.append("connection"))
    forking.before()
    with pytest.raises(ValueError, match="a hook of the test"):
        forking.after_in_child()
    assert called == ["broken", "connection", "client"]


def test_a_hook_is_harmless_where_the_system_cannot_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "_hooks", [])
    monkeypatch.delattr(os, "register_at_fork")
    forking.in_child(forking.Stage.LOOPS, lambda: None)


def test_forks_are_watched_in_one_place() -> None:
    package = Path(forking.__file__).parent.parent
    assert [path.name for path in package.rglob("*.py") if "os.register_at_fork(" in path.read_text()] == ["forking.py"]


class ConstructorSkipped(logging.Handler):
    def __init__(self) -> None:
        self.level, self.filters, self.formatter = 0, [], None

    def handle(self, record: logging.LogRecord) -> bool:
        return True


class Impatient:
    """A lock that cannot be waited for with a bound."""

    def acquire(self) -> bool:
        raise AssertionError("it would be waited for without a bound")

    def release(self) -> None:
        raise AssertionError("it is not held")


class LockOfItsOwn(logging.Handler):
    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = Impatient()  # type: ignore[assignment]

    def handle(self, record: logging.LogRecord) -> bool:
        return True


@pytest.mark.parametrize("handler", [ConstructorSkipped, LockOfItsOwn])
def test_a_handler_with_a_strange_lock_is_no_obstacle(
    handler: type[logging.Handler], capfd: pytest.CaptureFixture[str]
) -> None:
    """The hook raised, and what it had taken stayed taken for ever."""
    odd = logging.getLogger("odd")
    odd.addHandler(made := handler())
    try:
        until_it_ends(forked(lambda: WorkerPool("test-pool").submit(lambda: None)))
    finally:
        odd.removeHandler(made)
    assert "Exception ignored" not in capfd.readouterr().err


def test_a_fork_whose_first_hook_was_not_called_is_no_obstacle() -> None:
    """As by a server in C, which calls the child's hooks only."""
    assert not forking._busy
    forking.after_in_parent()

    def child() -> None:
        forking.after_in_child()  # once more, now without the first hook
        pool, done = WorkerPool("test-pool"), threading.Event()
        pool.submit(done.set)
        assert done.wait(10)

    until_it_ends(forked(child))
    with forking.busy():
        pass
