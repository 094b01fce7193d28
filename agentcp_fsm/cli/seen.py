"""The commands that look at connections: their traces, and how they are now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
trace = typer.Typer(help="Traces of connections, as --traces writes them: show, play, replay, compare.")
app.add_typer(trace, name="trace")

TraceFile = Annotated[Path, typer.Argument(metavar="FILE", help="A trace.", dir_okay=False)]


@trace.command(help="Print a trace as a story.")
def show(file: TraceFile) -> None:
    from agentcp_fsm.traces import read_trace, story_lines

    for line in story_lines(read_trace(file)):
        typer.echo(line)


@trace.command(
    help="""Write the chart's page with a trace in it, which the page plays.

    It is one file for a browser: each step lights up on the diagram, with its time, its event and what the machine
    asked for.
    """,
)
def page(
    file: TraceFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default standard output.")] = None,
) -> None:
    from agentcp_fsm.cli.target import OURS
    from agentcp_fsm.errors import ConfigError
    from agentcp_fsm.fsm.diagram.files import write_file
    from agentcp_fsm.fsm.diagram.page import page as page_of
    from agentcp_fsm.lifecycle.chart import CHART
    from agentcp_fsm.traces import played, read_trace

    recorded = read_trace(file)
    if not recorded.steps:
        raise ConfigError(f"{file} has no steps: there is nothing to play")
    content = page_of(CHART, OURS, playback=played(recorded))
    if output is None:
        typer.echo(content, nl=False)
    else:
        write_file(output, content.encode)


@trace.command(
    help="""Feed a trace to the machine, and require the same effects.

    The exit status is 0 if the machine asks for the same in every step, and 1 if it does not; then the first such step
    is printed.
    """,
)
def replay(file: TraceFile) -> None:
    from agentcp_fsm import traces

    recorded = traces.read_trace(file)
    found = traces.replay(recorded)
    if found is None:
        typer.echo(f"{len(recorded.steps)} steps, all the same{'; the file ends within a step' * recorded.torn}")
        return
    for line in traces.replay_lines(found):
        typer.echo(line)
    raise typer.Exit(1)


@trace.command(
    help="""Compare the stories of two traces, without their times.

    The exit status is 0 if they are the same, else 1.
    """,
)
def diff(one: TraceFile, other: TraceFile) -> None:
    from agentcp_fsm.traces import difference_lines, read_trace

    lines = difference_lines(read_trace(one), read_trace(other), (str(one), str(other)))
    for line in lines:
        typer.echo(line)
    raise typer.Exit(1 if lines else 0)


@app.command(
    help="""Watch the agents of status places, live.

    A place is what `agentcp-fsm connect --status ADDRESS` serves.  Keys: s sorts by the next column, r the other way
    round, / filters, Enter shows an agent's details, q ends.
    """,
)
def top(
    places: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Status places, such as 127.0.0.1:8764.")],
    interval: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds between two looks.")] = 1.0,
) -> None:
    from agentcp_fsm.errors import ConfigError
    from agentcp_fsm.operations.address import StatusAddress
    from agentcp_fsm.operations.asking import read_status

    try:
        from agentcp_fsm.operations.top import Top
    except ImportError as error:
        raise ConfigError(f"top needs Textual: pip install 'agentcp-fsm[top]' ({error})") from error
    for place in places:
        StatusAddress.parse(place)
    Top(places, read_status, interval).run()
