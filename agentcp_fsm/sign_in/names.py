"""The addresses of an HTTP server, looked up within the bounds of a call."""

import socket
from contextlib import closing, suppress

from agentcp_fsm.sign_in.call import Call
from agentcp_fsm.sign_in.waits import readable
from agentcp_fsm.support import clock, forking, lookups


def look_up(host: str, port: int, call: Call) -> lookups.Found:
    """Return a host's addresses.

    A look-up counts as connecting does, from when it was asked on.  One that takes longer is left behind, and the next
    call asks anew; after some that hang, calls cost nothing (`lookups`).

    Raises socket.gaierror also at the end of that time; OSError if the call is abandoned, or there are too many
    look-ups; TimeoutError at the end of the call's time; UnicodeError.
    """
    if lookups.is_address(host):
        return lookups.resolve(host, port, socket.SOCK_STREAM, 0)
    ours, theirs = socket.socketpair()

    def wake() -> None:
        with suppress(OSError):  # it is closed: nobody waits
            theirs.send(b"!", getattr(socket, "MSG_NOSIGNAL", 0))

    with closing(ours), closing(theirs):
        lookup = lookups.ask(host, port, socket.SOCK_STREAM, wake, call.timeouts.connect)
        try:
            if call.abandonment is not None:
                call.abandonment.watch(ours)
            seconds = call.timeouts.connect - (clock.now() - lookup.asked_at)
            patience = call.patience(max(seconds, 0.001))
            ours.settimeout(patience)
            readable(ours, patience, call)
            with forking.waiting():
                woken = ours.recv(1)
        except TimeoutError as error:
            call.patience(1)  # raises at the end of the call's time
            reason = f"no answer within {call.timeouts.connect:g} s"
            raise socket.gaierror(socket.EAI_AGAIN, reason) from error
        finally:
            lookup.forget(wake)
    if not woken:
        raise ConnectionAbortedError("abandoned")
    return lookup.result()
