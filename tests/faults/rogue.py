"""A hostile HTTP server: it answers every request without end, or with data that is hard on parsers."""

import contextlib
import itertools
import socketserver
import threading
from collections.abc import Iterable
from typing import Any

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MUCH = b"x" * 65536


def _json(text: bytes) -> bytes:
    return OK + b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


ANSWERS: dict[str, tuple[bytes, bytes]] = {
    "a status line without end": (b"HTTP/1.1 200 ", MUCH),
    "a malformed status line of 60,000 characters": (b"ICY " + MUCH[:60_000] + b"\r\n\r\n", b""),
    "headers without end": (OK, b"X: %s\r\n" % MUCH[:1000]),
    "a header without end": (OK + b"X: ", MUCH),
    "interim answers without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body without end": (OK + b"\r\n", MUCH),
    "a body without end, of an error": (b"HTTP/1.1 500 No\r\n\r\n", MUCH),
    "chunks without end": (CHUNKED, b"10000\r\n%s\r\n" % MUCH),
    "a chunk's size without end": (CHUNKED, b"0" * 65536),
    "a trailer without end": (CHUNKED + b"0\r\n", b"X: %s\r\n" % MUCH[:1000]),
    "redirects without end": (b"HTTP/1.1 307 Go\r\nLocation: /sign_in\r\nContent-Length: 0\r\n\r\n", b""),
    "98 cookies of 64 KB": (OK + b"Set-Cookie: %s=1\r\n" % MUCH[:65000] * 98 + b"Content-Length: 0\r\n\r\n", b""),
    "cookies, many and small": (OK + b"Set-Cookie: a=b\r\n" * 90 + b"Content-Length: 0\r\n\r\n", b""),
    "headers within a header": (OK + b"Date: %s\r\nContent-Length: 0\r\n\r\n" % (b"a:\r" * 20_000), b""),
    "framing within a header": (OK + b"Connection: %s\r\nContent-Length: 0\r\n\r\n" % (b"a:\r" * 20_000), b""),
    "a type of content with 10,000 parameters": (
        OK + b'Content-Type: multipart/x; a="%s\r\nContent-Length: 0\r\n\r\n' % (b";" * 20_000),
        b"",
    ),
    "a date without end": (b"HTTP/1.1 503 No\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % (b"1 " * 20_000), b""),
    "20,000 lengths": (OK + b"Content-Length: %s\r\n\r\n" % b",".join([b"1"] * 20_000), b""),
    "folded headers without end": (OK + b"X: y\r\n", b" z\r\n" * 1000),
    "early hints without end": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    "interim answers with headers without end": (b"", b"HTTP/1.1 100 Go\r\n%s\r\n" % (b"X: y\r\n" * 90)),
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n" * 1000),
    "extensions of chunks without end": (CHUNKED, b"1;%s\r\nx\r\n" % MUCH[:60_000]),
    "small extensions of chunks without end": (CHUNKED, b"1;x=y\r\nx\r\n" * 1000),
    "trailers of one byte": (CHUNKED + b"0\r\n", b"X:\r\n" * 1000),
    "lines of an answer that is no HTTP": (b"", b"220 mail.example\r\n" * 1000),
    "JSON of 30,000 lists": (_json(b'{"nonce": [%s0]}' % ((b"[" * 300 + b"]" * 300 + b",") * 105)), b""),
    "JSON of 12,000 objects": (_json(b'{"nonce": [%s0]}' % ((b'{"":' * 300 + b"0" + b"}" * 300 + b",") * 42)), b""),
    "JSON of as many parts as may be": (
        _json(b'{"nonce": [%s%s0]}' % ((b'{"":' * 300 + b"0" + b"}" * 300 + b",") * 13, b'"aa",' * 8000)),
        b"",
    ),
    "a nonce whose signature proves a server to Bob": (_json(b'{"nonce": "bob.agentid.pub%s"}' % (b"0" * 32)), b""),
    "a nonce that begins a JSON web token": (_json(b'{"nonce": "eyJhbGciOiJFUzI1NiJ9.e30"}'), b""),
    "JSON nested too deep": (_json(b"[" * 60_000), b""),
    "JSON with a number of 60,000 digits": (_json(b'{"nonce": %s}' % (b"9" * 60_000)), b""),
}
"""How each begins, and what follows again and again."""


class Rogue(socketserver.ThreadingTCPServer):
    """Gives everybody the `answer` of that name, which may be replaced; a context manager."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.answer = next(iter(ANSWERS))
        self.requests = 0
        """That arrived so far."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer one connection's requests, until it is hung up."""
        with contextlib.suppress(OSError):
            while data := request.recv(65536):
                if not data.startswith((b"POST ", b"GET ")):
                    continue  # the body
                self.requests += 1
                begin, go_on = ANSWERS[self.answer]
                rest: Iterable[bytes] = itertools.repeat(go_on) if go_on else ()
                for data in itertools.chain((begin,), rest):
                    request.sendall(data)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
