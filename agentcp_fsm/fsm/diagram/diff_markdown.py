"""The difference of two charts in Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from agentcp_fsm.fsm.diagram.diff import SIGNS, Difference, Kind, RowChange, StateChange, TextChange
from agentcp_fsm.fsm.diagram.diff_picture import mermaid
from agentcp_fsm.fsm.diagram.diff_text import dest_text, details, heads, summary
from agentcp_fsm.fsm.diagram.markdown import code, guards, rows_of, text


def markdown(found: Difference) -> str:
    """The difference as a comment of a pull request: a summary, tables, and the picture as Mermaid, folded."""
    return "".join(f"{line}\n" for line in _markdown(found))


def _markdown(found: Difference) -> Iterator[str]:
    yield f"**{text(found.new.name)}**: {summary(found)}."
    if not found:
        return
    for what, change in heads(found):
        yield ""
        yield f"The {what} is {_was(*map(text, change))}."
    if rows := found.rows():
        yield ""
        yield from rows_of(("", "on", "in", "if", "to", "what changed, or because"), map(_markdown_row, rows))
    if found.states:
        yield ""
        yield from rows_of(("", "state", "what changed, or its meaning"), map(_markdown_state, found.states))
    for title, texts in (("guard", found.guards), ("action", found.actions)):
        if texts:
            yield ""
            yield from rows_of(
                ("", title, "meaning"),
                ([_sign(change.kind), code(change.name), _was(*_meanings(change))] for change in texts),
            )
    if found.states or found.cells:
        yield ""
        yield "<details><summary>The change as a picture</summary>"
        yield ""
        yield "```mermaid"
        yield mermaid(found).rstrip("\n")
        yield "```"
        yield ""
        yield "</details>"


def _markdown_row(change: RowChange) -> list[str]:
    row = change.row
    changed = [f"{name}: {_was(text(old), text(new))}" for name, old, new in details(change.cell)]
    return [
        _sign(change.cell.kind),
        code(row.trigger),
        ", ".join(map(text, change.states)),
        guards(row.guards),
        text(dest_text(change)),
        "<br>".join(changed) or text(row.reason),
    ]


def _markdown_state(change: StateChange) -> list[str]:
    changed = [f"{name}: {_was(text(old), text(new))}" for name, old, new in details(change)]
    state = change.new or change.old
    assert state is not None
    return [_sign(change.kind), text(change.name), "<br>".join(changed) or text(state.meaning)]


def _meanings(change: TextChange) -> list[str]:
    return [text(part) for part in (change.old, change.new) if part is not None]


def _was(*words: str) -> str:
    return " → ".join(word or "none" for word in words)


def _sign(kind: Kind) -> str:
    return f"`{SIGNS[kind]}`&nbsp;{kind}"
