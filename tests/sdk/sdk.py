"""The SDK itself: its modules for tests of this process, and programs that use it in a process of their own."""

import importlib
import json
import os
import selectors
import subprocess
import sys
import warnings
from types import TracebackType
from typing import Any, Self

BOUND = 30.0
"""Seconds that a program may take to say something; nothing waits that long unless it is broken."""


def sdk_module(name: str) -> Any:
    """A module of the SDK, as it is without us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's own affair
        return importlib.import_module(name)


PRELUDE = """
import json, os, sys, threading
from agentcp.base.log import set_log_enabled
set_log_enabled(False, 40)
out, sys.stdout = sys.stdout, sys.stderr  # the SDK prints
def say(**what): print(json.dumps(what), file=out, flush=True)
"""


class SDKProgram:
    """A program that takes lines on its standard input and says JSON objects, one a line, by `say(name=value)`."""

    def __init__(self, script: str, *arguments: str, prelude: str = PRELUDE, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", prelude + script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )
        self._selector = selectors.DefaultSelector()
        assert self.process.stdout is not None
        self._selector.register(self.process.stdout, selectors.EVENT_READ)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def said(self) -> Any:
        assert self.process.stdout is not None
        assert self._selector.select(BOUND), "it says nothing"
        return json.loads(self.process.stdout.readline())

    def ask(self, line: str) -> Any:
        self.tell(line)
        return self.said()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its input, which ends it; one that failed is not waited for."""
        self._selector.close()
        with self.process:
            try:
                if kind is None:
                    self.process.communicate(timeout=BOUND)
            finally:
                self.process.kill()
