"""The commands for charts, whether this library's own or any other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from agentcp_fsm.cli.options import Json
from agentcp_fsm.cli.target import OURS
from agentcp_fsm.errors import ConfigError
from agentcp_fsm.fsm.diagram.formats import DIFF_FORMATS, FORMATS, PATH_FORMATS, VIEWS, Theme

app = typer.Typer()
diagram = typer.Typer(invoke_without_command=True)

ChartName = Annotated[
    str, typer.Option("--from", metavar="MODULE:NAME", help="The chart; its module may be in the present folder.")
]
States = Annotated[list[str] | None, typer.Option("--state", help="Only rows that hold in this state (repeatable).")]
Triggers = Annotated[list[str] | None, typer.Option("--trigger", help="Only rows of this trigger (repeatable).")]


@app.command(help="Print the chart: what every event does in every state.")
def chart(
    state: States = None,
    trigger: Triggers = None,
    ignored: Annotated[bool, typer.Option(help="Whether to show ignored events too.")] = True,
    chart: ChartName = OURS,
    json: Json = False,
) -> None:
    from agentcp_fsm.cli.chart import show_chart

    show_chart(state or [], trigger or [], ignored, chart, json)


@app.command(
    help="""Check running agents, or with --from a chart.

    Of running agents, it asks the status place of `agentcp-fsm connect --status ADDRESS`, in the manner of monitoring
    plugins: one line with performance data, and the exit status 0 (well), 1 (a warning, such as DEGRADED), 2 (critical:
    not reachable, or nobody answers) or 3 (unknown).  It disturbs nothing.

    Of a chart: every event is decided in every state, every state and every row can be reached, no row is shadowed by
    an earlier one, and no state is a dead end unless it is final.  The exit status is 0 for a sound chart, 1 if
    something was found, and 2 if there is no chart to check.
    """,
)
def check(
    address: Annotated[
        str | None,
        typer.Argument(help="Where the agents' status place is: an IP address and a port, or a Unix socket's path."),
    ] = None,
    chart: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="MODULE:NAME", help="Check this chart; its module may be in the present folder."
        ),
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Only the agent with this id.")] = None,
    probe: Annotated[
        str | None, typer.Option(metavar="livez | readyz", help="Only ask this; the exit status is 0 or 2.")
    ] = None,
    answer_age_warning: Annotated[
        float | None, typer.Option(help="Warn if the last answer is older, in seconds.")
    ] = None,
    answer_age_critical: Annotated[float | None, typer.Option(help="Critical if it is older, in seconds.")] = None,
    loss_rate_warning: Annotated[
        float | None, typer.Option(help="Warn if a larger share of heartbeats gets no answer, 0 to 1.")
    ] = None,
    loss_rate_critical: Annotated[float | None, typer.Option(help="Critical if a larger share gets none.")] = None,
    losses_warning: Annotated[
        float | None, typer.Option(help="Warn if the connection was lost more often in the last hour.")
    ] = None,
    losses_critical: Annotated[float | None, typer.Option(help="Critical if it was lost more often.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds to wait for an answer.")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    if chart is not None:
        from agentcp_fsm.cli.check import show_findings

        if address is not None:
            raise ConfigError(f"--from and the address {address} exclude each other: give one")
        raise typer.Exit(show_findings(chart, json))

    from agentcp_fsm.cli.monitor import check_agents, check_probe
    from agentcp_fsm.operations.address import DEFAULT
    from agentcp_fsm.operations.checking import LOSSES, Threshold

    where = address or DEFAULT
    if probe is not None:
        raise typer.Exit(check_probe(where, probe, timeout, json))
    thresholds = (
        Threshold("last_answer", "s", answer_age_warning, answer_age_critical),
        Threshold("loss_rate", "", loss_rate_warning, loss_rate_critical),
        Threshold(LOSSES, "", losses_warning, losses_critical),
    )
    raise typer.Exit(check_agents(where, agent, thresholds, timeout, json))


@app.command(
    help="""Explore every state of a connection under a configuration, in a hostile world, and prove its rules there.

    Answers, failures and wake-ups come late, twice or never, and the application calls what it likes.  S1 to S10 hold
    after every step and L1 to L3 from every state.  A violation is shown by a shortest script.  Rows that were never
    taken, and guards that always gave one answer, are named; with --matrix they count as found.  The exit status is 0
    if all holds, 1 if something was found, and 2 for a wrong setting.
    """,
)
def verify(
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of Config that is not the default (repeatable)."),
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Many configurations, one for each setting that matters.")
    ] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Keep all data of a state apart at once: many times the work.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes share the work.")] = os.cpu_count() or 1,
    pytest: Annotated[bool, typer.Option("--pytest", help="Print a violation as a pytest function.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    promela: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only write the chart as a model for spin, in Promela.")
    ] = None,
) -> None:
    from agentcp_fsm.cli.verify import run_verify, write_promela

    if promela is not None:
        if matrix:
            raise typer.BadParameter("a model has one configuration: leave out --matrix, or --promela")
        write_promela(promela, setting or [])
        return
    raise typer.Exit(run_verify(setting or [], matrix, whole, jobs, json, pytest))


@app.command(help="Print a shortest walk to each state and each row.")
def paths(
    chart: ChartName = OURS,
    state: States = None,
    trigger: Triggers = None,
    every_source: Annotated[
        bool, typer.Option("--every-source", help="Walk to each row in each of its states, not only in the nearest.")
    ] = False,
    format: Annotated[str, typer.Option(metavar=" | ".join(PATH_FORMATS), help="What to print.")] = "text",
) -> None:
    from agentcp_fsm.cli.paths import show_paths

    show_paths(chart, state or [], trigger or [], every_source, format)


@diagram.callback(
    help="""Draw the chart, or write it down for other programs.

    In a Markdown page a diagram is kept between the lines <!-- diagram:begin --> and <!-- diagram:end -->.
    """,
)
def show_diagram(
    context: typer.Context,
    format: Annotated[
        str | None, typer.Option(help="By default that of the file's name, else mermaid.", metavar=" | ".join(FORMATS))
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="By default standard output; of a Markdown page, only the diagram."),
    ] = None,
    check: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Only report, by the exit status, whether the file is stale (repeatable)."),
    ] = None,
    chart: ChartName = OURS,
    view: Annotated[str | None, typer.Option(help=VIEWS, metavar="VIEW")] = None,
    theme: Annotated[Theme | None, typer.Option(help="The background that a picture is for.")] = None,
    coverage: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Mark on the page the rows that no test took; pytest writes the file."),
    ] = None,
) -> None:
    from agentcp_fsm.cli.diagram import show_diagram

    if context.invoked_subcommand is None:
        raise typer.Exit(show_diagram(format, output, check or [], chart, view, theme, coverage))


@diagram.command(
    "docs", help="Write the diagrams that documents show: the overview, the full diagram, the table and the page."
)
def diagram_docs(
    folder: Annotated[Path, typer.Argument(help="The folder to write to.")] = Path("docs/diagram"),
    check: Annotated[
        bool, typer.Option("--check", help="Only report, by the exit status, whether one is stale.")
    ] = False,
    chart: ChartName = OURS,
) -> None:
    from agentcp_fsm.cli.diagram import write_docs

    raise typer.Exit(write_docs(folder, check, chart))


@diagram.command(
    "diff",
    help="""Show what differs between two charts: rows, their order, states and words.

    The modules of a revision are imported, which runs its code.
    """,
)
def diagram_diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A git revision, or a file that --format json wrote.")],
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="The same; by default the work tree.")] = None,
    format: Annotated[
        str | None,
        typer.Option(help="By default that of the file's name, else text.", metavar=" | ".join(DIFF_FORMATS)),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default standard output.")] = None,
    chart: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="MODULE:NAME",
            help="The chart; its module is sought in the repository's top folder and its src.",
        ),
    ] = OURS,
    theme: Annotated[Theme | None, typer.Option(help="The background that a picture is for.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if anything differs, else 0.")] = False,
) -> None:
    from agentcp_fsm.cli.diagram_diff import show_difference

    raise typer.Exit(show_difference(old, new, "json" if json else format, output, chart, theme, exit_code))


app.add_typer(diagram, name="diagram")
