"""Strategies for charts of any kind."""

from hypothesis import strategies as st

from agentcp_fsm.fsm.chart import EVERY, SAME, Chart, ChartState, Role, Row
from tests.fsm.loose import DEFAULTS

SPECIAL_NAMES = st.sampled_from(
    ["end", "A", "B", "a b", "ÄÖ", 'qu"ote', "<i>", "class", "|", "a.b", "*x*", "[*]", "--", "-->", "__proto__", "`"]
)
NAMES = st.one_of(SPECIAL_NAMES, st.text(min_size=1))


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Any rows at all: a chart need not pass its check to be drawn."""
    names = draw(st.lists(NAMES.filter(lambda name: name not in (EVERY, SAME)), min_size=1, max_size=5, unique=True))
    triggers = st.sampled_from(["go", "stop", "fail", "tick", "late"])
    sources = st.one_of(st.just((EVERY,)), st.lists(st.sampled_from(names), min_size=1, unique=True))
    dests = st.one_of(st.none(), st.just(SAME), st.sampled_from(names))
    guards = st.lists(st.sampled_from(["sure", "ready"]), unique=True)
    rows = draw(st.lists(st.builds(Row, triggers, sources, dests, conditions=guards, unless=guards), max_size=12))
    states = [ChartState(name, role=draw(st.none() | st.sampled_from(Role))) for name in names]
    undecided = draw(st.none() | st.sampled_from(DEFAULTS))
    return Chart("any", names[0], tuple(states), tuple(rows), undecided=undecided)


HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "</script><script>window.injected = 1</script>",
            "<img src=x onerror=window.injected=1>",
            "</template></svg><!-- <script>",
            '"]}\' onload="window.injected=1',
            "'''\nraise SystemExit\n#",
            "\u2028\r\n\\",
            "&lt;b&gt; &amp;",
            "toString",
            "__proto__",
        ]
    ),
)
"""Texts that try to be more than text."""


@st.composite
def hostile_charts(draw: st.DrawFn) -> Chart:
    """Any chart with such texts for every name, meaning and reason."""
    chart = draw(charts())
    words = {
        word: draw(HOSTILE.filter(bool))
        for row in chart.rows
        for word in (row.trigger, *row.conditions, *row.unless, "act")
    }
    rows = tuple(
        Row(
            words[row.trigger],
            row.source,
            row.dest,
            conditions=[words[name] for name in row.conditions],
            unless=[words[name] for name in row.unless],
            after=words["act"],
            reason=draw(HOSTILE),
        )
        for row in chart.rows
    )
    states = tuple(
        ChartState(state.name, draw(HOSTILE), draw(HOSTILE), final=draw(st.booleans()), role=state.role)
        for state in chart.states
    )
    glossary = {word: draw(HOSTILE) for word in words.values()}
    return Chart(draw(HOSTILE), chart.initial, states, rows, glossary, glossary)
