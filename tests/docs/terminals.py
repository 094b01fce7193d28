"""Programs in terminals, as pages of the documentation have people start them and type into them."""

import re
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.waiting import until

PATIENCE = 90.0
"""Seconds that anything may take; nothing waits that long unless it is broken."""


class Terminal:
    """A program, what is typed into it, and what it has shown so far."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            encoding="utf-8",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.shown = ""
        self.read = 0
        """How much of it was looked at."""
        self._threads = [
            threading.Thread(target=self._follow, args=(pipe,), daemon=True)
            for pipe in (self.process.stdout, self.process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _follow(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        for line in pipe:
            self.shown += line

    def enter(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until_shown(self, text: str, since: int | None = None) -> re.Match[str]:
        """Wait for `text` in what was shown after `since`, or after what was waited for last; `…` in it is anything."""
        since = self.read if since is None else since
        pattern = re.compile(re.escape(text).replace("…", ".*?") + ("$" if text.endswith("…") else ""), re.MULTILINE)
        with suppress(AssertionError):
            until(lambda: pattern.search(self.shown, since), PATIENCE)
        found = pattern.search(self.shown, since)
        assert found, f"{text!r} is not in {self.shown[since:]!r}"
        self.read = found.end()
        return found

    def end(self) -> int:
        """End its input, and return its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
