"""Name resolution in bounded time.

The system's look-up cannot be cancelled, and may hang for any time.  So each has a thread of its own, for which no
caller waits longer than it chooses, and a question that is still open is not asked again.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from agentcp_fsm.support import forking

Found = Sequence[tuple[int, int, int, str, tuple[Any, ...]]]
"""What `socket.getaddrinfo` returns: family, kind, protocol, name, address of the socket."""
Question = tuple[str, int, int]
"""Host, port, kind of socket."""

LIMIT = 256
"""How many names may be looked up at once: each look-up that hangs costs a thread."""


class Lookup:
    """One question, and all who wait for its answer."""

    __slots__ = ("asked_at", "error", "found", "waiting")

    def __init__(self) -> None:
        self.asked_at = time.monotonic()
        self.found: Found = ()
        self.error: Exception | None = None
        self.waiting: list[Callable[[], object]] = []
        """What to call, in the thread of the look-up, when the answer is there."""

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


def ask(host: str, port: int, kind: int, notify: Callable[[], object]) -> Lookup:
    """Have `notify` called in another thread when the look-up has ended, after this has returned or shortly before.

    Raises OSError if there are too many already, or no thread for it.
    """
    question = (host, port, kind)
    with _lock:
        lookup = _open.get(question)
        if lookup is None:
            if len(_open) >= LIMIT:
                raise OSError(f"{len(_open)} look-ups of other names have not ended: check this machine's name servers")
            lookup = Lookup()
            thread = threading.Thread(target=_look_up, args=(question, lookup), name="agentcp-lookup", daemon=True)
            try:
                thread.start()  # it waits for the lock before it ends
            except RuntimeError as error:
                raise OSError(f"the system has no thread for a look-up: {error}") from error
            _open[question] = lookup
        lookup.waiting.append(notify)
        return lookup


def resolve(host: str, port: int, kind: int, seconds: float) -> Found:
    """Return the addresses of a host; raises OSError or UnicodeError, TimeoutError if it has taken `seconds` so far.

    An address needs no look-up.
    """
    if is_address(host):
        return _getaddrinfo(host, port, kind)
    ended = threading.Event()
    lookup = ask(host, port, kind, ended.set)
    # From when it was first asked on: a name whose look-up hangs costs each call after the first nothing.
    if not ended.wait(max(0.0, lookup.asked_at + seconds - time.monotonic())):
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
    try:
        lookup.found = _getaddrinfo(*question)
    except (OSError, UnicodeError) as error:
        lookup.error = error
    except Exception as error:  # noqa: BLE001 - of a program's own function, perhaps
        lookup.error = OSError(f"{type(error).__name__}: {error}")
    with _lock:
        if _open.get(question) is lookup:
            del _open[question]
        waiting, lookup.waiting = lookup.waiting, []
    for notify in waiting:
        notify()


_lock = threading.Lock()
_open: dict[Question, Lookup] = {}
"""The questions without an answer."""


def _forget_in_child() -> None:
    """After a fork: the threads do not exist here, and one of them may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _open.clear()


forking.in_child(forking.Stage.LOOPS, _forget_in_child)
