"""Name resolution in bounded time.

The system's look-up cannot be cancelled, and may hang for any time.  So each has a thread of its own, for which no
caller waits longer than it chooses.  A question that was asked just now is not asked again.  One that has been open for
longer than it may take is asked anew, for the network may be back, and the resolver hang since it was away.  The first
answer is everybody's.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from agentcp_fsm.support import clock, forking, threads

Found = Sequence[tuple[int, int, int, str, tuple[Any, ...]]]
"""What `socket.getaddrinfo` returns: family, kind, protocol, name, address of the socket."""
Question = tuple[str, int, int]
"""Host, port, kind of socket."""

LIMIT = 256
"""How many look-ups there may be at once: each that hangs costs a thread."""
LIMIT_EACH = 4
"""How many of one name: resolvers give up in some seconds, so more than these never answer at all."""


class Lookup:
    """One look-up, and all who wait for its answer."""

    __slots__ = ("asked_at", "error", "found", "waiting")

    def __init__(self) -> None:
        self.asked_at = clock.now()
        self.found: Found = ()
        self.error: Exception | None = None
        self.waiting: list[Callable[[], object]] = []
        """What to call, in the thread of a look-up, when an answer is there."""

    def result(self) -> Found:
        """Return what was found; raises OSError or UnicodeError."""
        if self.error is not None:
            raise self.error
        return self.found

    def forget(self, notify: Callable[[], object]) -> None:
        """Nobody waits for `notify` any longer."""
        with _lock:
            if notify in self.waiting:
                self.waiting.remove(notify)


def ask(host: str, port: int, kind: int, notify: Callable[[], object], patience: float) -> Lookup:
    """Have `notify` called in another thread when the look-up has ended, after this has returned or shortly before.

    One that is open already is joined, unless that has lasted for `patience` seconds.

    Raises OSError if there are too many already, or no thread for it; at the interpreter's exit it needs none.
    """
    question = (host, port, kind)
    has_thread = True
    with _lock:
        same = _open.get(question, ())
        lookup = same[-1] if same else None
        if lookup is None or (clock.now() - lookup.asked_at >= patience and len(same) < LIMIT_EACH):
            if (count := sum(map(len, _open.values()))) >= LIMIT:
                raise OSError(f"{count} look-ups of names have not ended: check this machine's name servers")
            lookup = Lookup()
            has_thread = _begin(question, lookup)
            _open.setdefault(question, []).append(lookup)
        lookup.waiting.append(notify)
    if not has_thread:
        _look_up(question, lookup)
    return lookup


def _begin(question: Question, lookup: Lookup) -> bool:
    """Begin a look-up in a thread, which waits for the lock before it ends; False at the interpreter's exit."""
    try:
        threads.start(threads.daemon("agentcp-lookup", _look_up, question, lookup))
    except RuntimeError as error:
        if not threads.interpreter_exits():
            raise OSError(f"the system has no thread for a look-up: {error}") from error
        return False
    return True


def resolve(host: str, port: int, kind: int, seconds: float) -> Found:
    """Return the addresses of a host; raises OSError or UnicodeError, TimeoutError if it has taken `seconds` so far.

    An address needs no look-up.
    """
    if is_address(host):
        return _getaddrinfo(host, port, kind)
    ended = threading.Event()
    lookup = ask(host, port, kind, ended.set, seconds)
    # From when it was asked on: a name whose look-ups hang costs nothing in the end.
    if not ended.wait(max(0.0, lookup.asked_at + seconds - clock.now())):
        lookup.forget(ended.set)
        raise TimeoutError(f"{host} was not resolved within {seconds:g} s")
    return lookup.result()


def addresses_of(found: Found) -> tuple[str, ...]:
    """Return the IP addresses, each once, in the system's order; those of one link with its interface, as fe80::1%2."""
    return tuple(dict.fromkeys(_address_of(*entry) for entry in found))


def _address_of(family: int, kind: int, protocol: int, name: str, address: tuple[Any, ...]) -> str:
    host = str(address[0]).partition("%")[0]
    scope = address[3] if family == socket.AF_INET6 and len(address) > 3 else 0
    return f"{host}%{scope}" if scope else host


def is_address(host: str) -> bool:
    """Whether a host is an IP address, which needs no name resolution."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _getaddrinfo(host: str, port: int, kind: int) -> Found:
    # By position, as requests does: programs put functions of their own in its place that know no names of arguments.
    return socket.getaddrinfo(host, port, 0, kind)


def _look_up(question: Question, lookup: Lookup) -> None:
    found: Found = ()
    failure: Exception | None = None
    try:
        found = _getaddrinfo(*question)
    except (OSError, UnicodeError) as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - of a program's own function, perhaps
        failure = OSError(f"{type(error).__name__}: {error}")
    waiting: list[Callable[[], object]] = []
    with _lock:
        same = _open.get(question, [])
        if lookup in same:
            same.remove(lookup)
        if not same:
            _open.pop(question, None)
        # What another look-up found is not taken back by this one's failure.
        for each in [lookup] if failure else [lookup, *same]:
            if not each.found:
                each.found, each.error = found, failure
            waiting += each.waiting
            each.waiting = []
    for notify in waiting:
        notify()


_lock = threading.Lock()
_open: dict[Question, list[Lookup]] = {}
"""The look-ups that have not ended, of each question in the order in which they were asked."""


def _forget_in_child() -> None:
    """After a fork: the threads do not exist here, and one of them may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _open.clear()


forking.in_child(forking.Stage.LOOPS, _forget_in_child)
