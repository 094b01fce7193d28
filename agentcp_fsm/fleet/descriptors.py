"""Whether this process may open as many files as its agents need."""

from __future__ import annotations

import sys

from agentcp_fsm.errors import ConfigError

SPARE = 256
"""Descriptors for everything else: HTTP connections, logs, the status place, the program's own."""


def check_descriptors(agents: int, *, widen: bool = False) -> None:
    """Raise ConfigError, with the remedy, if so many agents need more descriptors than this process may open.

    With `widen`, the process's own limit is raised first, as far as the system allows.
    """
    if sys.platform == "win32":
        return  # its sockets are not bounded so
    import resource

    needed = agents + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if widen and _is_below(soft, needed):
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if _is_below(soft, needed):
        raise ConfigError(
            f"{agents} agents need {needed} file descriptors, a socket for each, and this process may open {soft}:"
            f" start it after `ulimit -n {needed}`, with LimitNOFILE={needed} in its systemd unit, or with more"
            " --processes"
        )


def _is_below(limit: int, needed: int) -> bool:
    return 0 <= limit < needed  # a negative one is none
