"""Which certificate authorities TLS trusts: those that were given, those of the environment, or the usual ones."""

import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Literal

from agentcp_fsm.errors import ConfigError
from agentcp_fsm.support import files

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""By which the environment names others than the usual; the first one counts.  requests honours the same."""


def named_by_environment() -> tuple[str, str]:
    """Return the variable that names authorities, and the path that it names; both are empty if none does."""
    return next(((name, os.environ[name]) for name in VARIABLES if os.environ.get(name)), ("", ""))


@lru_cache(maxsize=16)
def _check(path: str, version: object) -> None:
    """Raise OSError unless TLS can read the file; once for each version of it, as the usual ones take 20 ms."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)


def authorities(verify: bool | str | os.PathLike[str]) -> Literal[True] | str:
    """Return True, for the usual ones, or the path of others, which TLS can use; raises `ConfigError`."""
    if not verify:
        raise ConfigError(
            "verify cannot be turned off, for anyone could pose as the server: for a private certificate authority"
            " give the path of its certificate"
        )
    if verify is True:
        name, path = named_by_environment()
        if not path:
            return True
    else:
        name = "verify (--ca-file)"
        try:
            path = os.fspath(verify)
        except TypeError as error:
            raise ConfigError(f"verify is {verify!r}: give True, or the path of a file or folder") from error
    try:
        if not Path(path).is_dir():
            _check(path, files.version(Path(path)))
    except OSError as error:
        raise ConfigError(
            f"{name} names {path}, from which no certificate can be read ({error.strerror}): give a file in PEM"
        ) from error
    return path
