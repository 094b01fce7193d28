"""An agent that runs already: what of it can be seen without ending its session."""

from __future__ import annotations

from dataclasses import dataclass

from agentcp_fsm.doctor.finding import Finding, NotTried, Outcome
from agentcp_fsm.support.messages import translated as _


@dataclass(frozen=True, slots=True)
class Running:
    """An agent that another process keeps reachable, as its status place shows it."""

    place: str
    """The address of the status place."""
    state: str
    reachable: bool
    last_answer: float | None
    """Seconds since the last answer to a heartbeat; None if there was none."""


def sign_in_of(running: Running) -> Finding:
    """The finding about the sign-in of a running agent."""
    facts = {"state": running.state, "reachable": running.reachable, "status_place": running.place}
    says = _("the agent runs already, in the state {state}; its session was left alone").format(state=running.state)
    if running.reachable:
        return Finding("sign-in", Outcome.OK, says, facts=facts)
    remedy = _("ask how it is: agentcp-fsm check {place}; or allow the doctor to sign in: --sign-in")
    return Finding("sign-in", Outcome.WARNING, says, remedy.format(place=running.place), facts)


def heartbeat_of(running: Running) -> Finding:
    """The finding about the heartbeats of a running agent; raises `NotTried` if none was answered."""
    if not running.reachable or running.last_answer is None:
        raise NotTried(_("the agent that runs has no answer to its heartbeats"))
    says = _("the agent that runs had its last answer {seconds} s ago").format(seconds=f"{running.last_answer:.1f}")
    return Finding("heartbeat", Outcome.OK, says, facts={"last_answer": running.last_answer})
