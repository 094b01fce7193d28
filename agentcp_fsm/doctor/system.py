"""The step that says what was tested on the system and the Python that run here."""

from __future__ import annotations

from agentcp_fsm.doctor.finding import Finding, Outcome
from agentcp_fsm.support.messages import marked
from agentcp_fsm.support.messages import translated as _

TESTED = {
    "linux": marked("where all tests run"),
    "win32": marked("where all tests run but those that need Linux"),
    "darwin": marked("where all tests run but those that need Linux"),
}
"""By Python's name of the system: what docs/platforms.md says of it."""
NEWEST = (3, 14)
"""The newest Python that is tested."""


def check_system(system: str, name: str, python: str) -> Finding:
    """Say what was tested on a system, which has a name for people, and with a version of Python."""
    facts = {"system": system, "python": python, "tested": system in TESTED}
    says = _("Python {python} on {system}, {tested}").format(
        python=python, system=name, tested=_(TESTED.get(system, marked("where no test was run")))
    )
    if system not in TESTED:
        return Finding("system", Outcome.OK, says, facts=facts)
    if tuple(map(int, python.split(".")[:2])) > NEWEST:
        newest = ".".join(map(str, NEWEST))
        says = _("{system}; this Python is newer than {newest}, the newest that was tested").format(
            system=says, newest=newest
        )
    return Finding("system", Outcome.OK, says, facts=facts)
