"""``agentcp-fsm doctor``."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from agentcp_fsm.cli.output import Output, set_width
from agentcp_fsm.doctor import STEPS, Examination, Finding, Outcome, Running
from agentcp_fsm.errors import StatusError
from agentcp_fsm.fsm.printable import printable
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.operations.asking import read_status
from agentcp_fsm.operations.checking import chosen
from agentcp_fsm.support import messages
from agentcp_fsm.support.messages import translated as _

MARKS = {
    Outcome.OK: ("✓", "green"),
    Outcome.WARNING: ("!", "bold yellow"),
    Outcome.FAILED: ("✗", "bold red"),
    Outcome.SKIPPED: ("-", "dim"),
}
WIDTH = max(map(len, STEPS))


def run_doctor(examination: Examination, json_lines: bool) -> int:
    """Show each finding as it is made; returns the exit status."""
    if json_lines:
        messages.use("en")  # for programs
    output = Output(json_lines)
    outcomes: list[Outcome] = []
    with closing(examination.findings()) as findings:
        for finding in findings:
            outcomes.append(finding.outcome)
            if json_lines:
                output.say("finding", "", **asdict(finding))
            elif output.console.is_terminal:
                output.console.print(_row(finding))
            else:
                output.console.print(_line(finding), soft_wrap=True)
    counts = {outcome.value: outcomes.count(outcome) for outcome in Outcome}
    well = counts[Outcome.OK] == len(outcomes)
    if json_lines:
        output.say("summary", "", well=well, **counts)
    else:
        others = [f"{count} {_(name)}" for name, count in counts.items() if count and name != Outcome.OK]
        output.console.print(
            _("all is well") if well else _("not all is well: {others}").format(others=", ".join(others))
        )
    return 0 if well else 1


def running_agent(agent_id: str, address: str) -> Running | None:
    """Return the agent of that id that a status place shows, unless it is at rest; None also without such a place."""
    try:
        agents = chosen(read_status(address), agent_id)
    except StatusError:
        return None
    state, answer = str(agents[0].get("state")), agents[0].get("last_answer")
    if state == State.OFFLINE:
        return None
    age = float(answer) if isinstance(answer, int | float) else None
    return Running(address, state, bool(agents[0].get("reachable")), age)


def ask_to_sign_in(agent_id: str) -> bool:
    """Ask on a terminal whether the doctor may sign in; False without a terminal."""
    return sys.stdin.isatty() and typer.confirm(
        _("Signing in ends the session of {agent_id}, if it is connected elsewhere. Sign in?").format(
            agent_id=agent_id
        ),
        err=True,
    )


def _row(finding: Finding) -> Table:
    """A finding for a terminal, its words wrapped beside its name."""
    mark, style = MARKS[finding.outcome]
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=WIDTH)
    table.add_column(overflow="fold")
    dim = "dim" if finding.outcome is Outcome.SKIPPED else ""
    table.add_row(Text(mark, style), Text(_(finding.step), style), Text(printable(finding.says), dim))
    if finding.remedy:
        table.add_row("", "", Text(f"→ {printable(finding.remedy)}", "cyan"))
    return table


def _line(finding: Finding) -> str:
    """A finding for a pipe: one line, however long."""
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    return printable(f"{set_width(_(finding.outcome), 7)}  {set_width(_(finding.step), WIDTH)}  {finding.says}{remedy}")
