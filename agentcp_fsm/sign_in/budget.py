"""Bounds the cost of one HTTP exchange, counted where its bytes come in.

An answer's body is bounded by the code that reads it.  All that stands around a body (status lines, answers before the
answer, headers, chunk sizes and their extensions, trailers) is read line by line.  http.client bounds each line, but
neither their sum nor, for most of them, their number.  So lines, their bytes and the reads that they come in are
counted here.  Each costs about the same processor time, so their counts bound that too, on any machine.

Unused headers are not parsed: of a head, http.client sees only the headers that say where the answer ends.  Its parser
is that of electronic mail, which knows attachments and takes quadratic time over some.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MAX_AROUND = 64 * 1024
"""Bytes around the body.  Servers and proxies rarely let a head have more than 16 KiB."""
MAX_LINES = 1000
"""Lines around the body, one for each header and at least two for each chunk."""
MAX_READS = 2500
"""Reads from the connection: at 8 KiB each, an answer of the largest size takes 12; one that drips takes one a byte."""

_FRAMING = frozenset({b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding"})
"""The headers by which http.client finds the end of an answer."""
_USED = frozenset({b"content-type", b"date", b"location", b"retry-after"})
"""The headers that this library reads."""


class ExcessiveAnswerError(OSError):
    """An answer costs more to read than any answer of the protocol."""


@dataclass(slots=True)
class Budget:
    """What is left for one exchange."""

    around: int = MAX_AROUND
    """Bytes of lines."""
    lines: int = MAX_LINES
    reads: int = MAX_READS

    def spend_read(self) -> None:
        """Count a read from the connection; raises `ExcessiveAnswerError`."""
        self.reads -= 1
        if self.reads < 0:
            raise ExcessiveAnswerError(f"it comes in more than {MAX_READS} pieces")

    def spend_line(self, line: bytes) -> None:
        """Count a line around the body; raises `ExcessiveAnswerError`."""
        self.lines -= 1
        self.around -= len(line)
        if self.lines < 0:
            raise ExcessiveAnswerError(f"there are more than {MAX_LINES} lines around its body")
        if self.around < 0:
            raise ExcessiveAnswerError(f"there are more than {MAX_AROUND} bytes around its body")


class BudgetedFile(io.BufferedReader):
    """What http.client reads an answer from; raises `ExcessiveAnswerError` at the end of the budget."""

    def __init__(self, raw: io.RawIOBase, budget: Budget) -> None:
        super().__init__(raw)
        self._budget = budget
        self._next_is_header: bool | None = None
        """None: what comes is no head."""
        self._used: list[tuple[str, str]] = []

    @contextmanager
    def head(self) -> Iterator[list[tuple[str, str]]]:
        """Lines that are read meanwhile are those of a head; yields a list, for the used headers' names and values."""
        self._next_is_header = False
        yield self._used
        self._next_is_header = None

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read the next line around the body that http.client must see."""
        while True:
            most = self._budget.around + 1  # one more than may be read shows that there are more
            line = super().readline(most if size is None or size < 0 else min(size, most))
            self._budget.spend_line(line)
            if self._next_is_header is None or self._is_for_framing(line):
                return line

    def _is_for_framing(self, line: bytes) -> bool:
        """Take a line of a head; whether http.client must see it."""
        if not self._next_is_header:
            self._next_is_header = True
            self._used.clear()  # the last answer, which was one before the answer, had them
            return True
        if not line.strip():
            self._next_is_header = False  # if there is another line, it is another answer's
            return True
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _USED:
            self._used.append((name.decode("latin-1"), value.strip().decode("latin-1")))
        # The parser would take a lone CR for the end of a line, so that one header of 64 KiB became 32,000.
        return name in _FRAMING and line.find(b"\r", 0, -2) < 0
