"""A TCP relay, before a server whose address changes, as a load balancer is."""

import contextlib
import socket
import socketserver
import threading
from typing import Any

Address = tuple[str, int]


class Relay(socketserver.ThreadingTCPServer):
    """Passes each connection on to `target`, which may be replaced; a context manager."""

    daemon_threads = True

    def __init__(self, target: Address) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.target = target
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), socket.create_connection(self.target) as onward:
            back = threading.Thread(target=_pass_on, args=(onward, request), daemon=True)
            back.start()
            _pass_on(request, onward)
            back.join()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)
