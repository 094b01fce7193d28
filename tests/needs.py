"""Needs of some tests beyond Python's packages: a program, root, a network namespace, a system of one kind.

Without them such a test is skipped with the reason.  Under CI on Linux, which has all of them, the test fails instead,
so that no test can silently stop running there.
"""

import os
import shutil
import sys

import pytest


def needs(available: object, what: str, remedy: str) -> None:
    """Skip the running test (or, in a module's body, all of it) unless `available`; fail it in CI, on Linux."""
    if available:
        return
    reason = f"needs {what}: {remedy}"
    if os.environ.get("CI") and sys.platform == "linux":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def needs_program(name: str, package: str) -> str:
    """The path of a program; skips, as `needs`, if it is not installed."""
    path = shutil.which(name)
    needs(path, name, f"apt-get install {package}")
    assert path is not None
    return path


def needs_root() -> None:
    """Skip, as `needs`, unless this is root's process."""
    needs(
        hasattr(os, "geteuid") and os.geteuid() == 0,
        "root",
        "run the tests as root, in a virtual machine or a container",
    )


def needs_linux(why: str) -> None:
    """Skip, as `needs`, on any other system; for what is Linux's own, and for what only ever ran there."""
    needs(sys.platform == "linux", "Linux", why)


def needs_posix(why: str) -> None:
    """Skip, as `needs`, on Windows: for signals, forks, and descriptors that stand for sockets."""
    needs(hasattr(os, "fork"), "POSIX", why)
