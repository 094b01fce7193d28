"""What a picture's text claims, read from what is drawn: from which state, on which trigger, if what, to which state.

Nothing here knows how labels were made.  Names may have spaces, but no comma, semicolon or bracket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from xml.etree import ElementTree

from tests.diagram.test_markdown import read

Claim = tuple[str, str, tuple[str, ...], str | None]
"""Source, trigger, guards, destination; None where the state stays."""
SVG = "{http://www.w3.org/2000/svg}"


class Claims:
    """The claims of one picture, and its arrows."""

    def __init__(self) -> None:
        self.found: list[Claim] = []
        self.arrows: list[tuple[str, str]] = []
        """By ends; an arrow without drawn sources begins at "" and ends at its destination."""
        self.otherwise = ""
        """What is said of events that no row decides."""
        self.pairs: list[tuple[str, str]] = []
        """For each arrow, all pairs of states that it joins."""
        self.bare: list[tuple[str, str]] = []
        """Those of the arrows without a label, as far as they are read apart."""

    def arrow(self, lines: Sequence[str], sources: Iterable[str], dest: str, states: Sequence[str]) -> None:
        """Add what an arrow's label says; where it says so, the sources are in it."""
        text, where, exceptions = re.findall(r"^(.*?)( in every state(?: except (.*))?)?$", " ".join(lines))[0]
        if where:
            sources = [state for state in states if state not in exceptions.split(", ")]
        sources = list(sources)
        self.pairs += [(source, dest) for source in sources]
        self.arrows.append((",".join(sources), dest))
        for trigger, guards in clauses(text):
            assert any(trigger in line for line in lines), f"{trigger!r} is broken"
            self.found += [(source, trigger, guards, dest) for source in sources]

    def notes(self, state: str, lines: Sequence[str]) -> None:
        """Add what the notes in a state say: on what it stays, and on what it leads to others."""
        for note in re.split(r"\n(?=to .)", "\n".join(lines)):
            text = note.replace("\n", " ")
            if match := re.search(r"stays on (.*)", text):
                self.found += [(state, trigger, guards, None) for trigger, guards in clauses(match[1])]
            elif match := re.match(r"to (.*?) on (.*)", text):
                self.found += [(state, trigger, guards, match[1]) for trigger, guards in clauses(match[2])]


def clauses(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each trigger with each list of guards that a label's text gives it."""
    for clause in text.split("; "):
        match = re.fullmatch(r"([^\[\]]+?)((?: (?:or )?\[[^\[\]]+\])*)", clause)
        assert match, f"{clause!r} of {text!r}"
        alternatives = re.findall(r"\[(.*?)\]", match[2]) or [""]
        for trigger in match[1].split(", "):
            for guards in alternatives:
                yield trigger, tuple(guards.split(", ")) if guards else ()


def of_mermaid(text: str) -> Claims:
    """What a Mermaid flowchart claims; raises AssertionError where a frame does not show its entrance."""
    claims = Claims()
    plain = [
        re.sub(r"#(\d+);", lambda match: chr(int(match[1])), line).replace("\u00a0", " ") for line in text.splitlines()
    ]
    names: dict[str, str] = {}
    boxes: dict[str, list[str]] = {}
    frames: dict[str, list[str]] = {}
    entrance: dict[str, str] = {}
    frame = None
    for line in plain:
        if match := re.fullmatch(r'  (\w+)\("<b>(.*?)</b>(.*)"\)', line):
            names[match[1]] = match[2]
            claims.notes(match[2], match[3].split("<br>"))
            if frame:
                frames[frame].append(match[1])
        elif match := re.fullmatch(r'  (events\d+)\["(.*)"\]', line):
            boxes[match[1]] = match[2].split("<br>")
        elif match := re.fullmatch(r'  otherwise\["(.*)"\]', line):
            claims.otherwise = match[1].replace("<br>", " ")
        elif match := re.match(r"  subgraph (\w+)", line):
            frame = match[1]
            frames[frame] = []
        elif line == "  end":
            frame = None
        elif frame and (match := re.fullmatch(r"  initial\d+\(\( \)\) --> (\w+)", line)):
            entrance[frame] = match[1]
    assert entrance.keys() == frames.keys()
    for line in plain:
        if match := re.fullmatch(r'  (\w+) --> ?(?:\|"(.*)"\|)? (\w+)', line):
            start, label, end = match.groups()
            sources = [names[node] for node in frames.get(start, [start])] if start not in boxes else []
            lines = boxes[start] if start in boxes else (label or "").split("<br>")
            claims.arrow(lines, sources, names[entrance.get(end, end)], list(names.values()))
    return claims


def of_dot(text: str) -> Claims:
    """What a Graphviz graph claims."""
    claims = Claims()
    names: dict[str, str] = {}
    clusters: dict[str, list[str]] = {}
    labels: dict[str, list[str]] = {}
    ties: dict[str, list[str]] = {}
    cluster = None
    arrows: list[tuple[str, str]] = []
    bare: list[tuple[str, str]] = []
    for line in text.splitlines():
        if match := re.match(r"  subgraph (\w+)", line):
            cluster = match[1]
            clusters[cluster] = []
        elif line == "  }":
            cluster = None
        elif match := re.match(r'\s+"(state-[^"]*)" \[id=.*?<b>(.*?)</b>(.*)', line):
            names[match[1]] = unescape(match[2])
            claims.notes(unescape(match[2]), re.findall(r'<font point-size="9">(.*?)</font>', unescape(match[3])))
            if cluster:
                clusters[cluster].append(match[1])
        elif match := re.match(r'\s+"(label-\d+)" \[class=label label="(.*?)" fontsize', line):
            labels[match[1]] = unescape(match[2]).split("\\n")
        elif match := re.match(r'\s+"(label-\d+)" \[class="label (?:added|removed|changed)"', line):
            labels[match[1]] = []  # what a change is, only a reader of its words knows
        elif match := re.match(r'\s+"(.*?)" -> "(.*?)" \[(.*)\]', line):
            tail = re.search(r"ltail=(\w+)", match[3])
            if "arrowhead=none" in match[3]:
                ties.setdefault(match[2], []).extend([tail[1]] if tail else [match[1]])
            elif match[1] in names:
                bare.append((tail[1] if tail else match[1], match[2]))
            elif match[1] != "initial":
                arrows.append((match[1], match[2]))
    if match := re.search(r"<td>(An event .*?)</td>", text):
        claims.otherwise = match[1]
    for start, end in bare:  # its label is in its state, or it has none
        claims.bare += [(names[node], names[end]) for node in clusters.get(start, [start])]
    claims.pairs += claims.bare
    for start, end in arrows:
        ends = [node for tie in ties.get(start, []) for node in clusters.get(tie, [tie])]
        if not labels[start]:
            claims.pairs += [(names[node], names[end]) for node in ends]
            continue
        claims.arrow(labels[start], [names[node] for node in ends], names[end], list(names.values()))
    return claims


def of_svg(text: str) -> Claims:
    """What an SVG claims: its labels, each for the steps that its arrow stands for."""
    claims = Claims()
    root = ElementTree.fromstring(text)
    for group in root.iter(f"{SVG}g"):
        texts = [line.text or "" for line in group.findall(f"{SVG}text")]
        if group.get("class") == "legend":
            claims.otherwise = next((line for line in texts if line.startswith("An event ")), "")
        elif "data-state" in group.attrib:
            claims.notes(group.attrib["data-state"], texts)
        elif group.get("class") == "edge" and texts:
            where = next((index for index, line in enumerate(texts) if line.startswith("in every state")), len(texts))
            for step in (group.findtext(f"{SVG}title") or "").split("\n"):
                source, dest = step.split(" → ")
                claims.arrow(texts[:where], [source], dest, [])
    return claims


def of_plantuml(text: str, *, line_by_line: bool) -> Claims:
    """What a PlantUML diagram claims; `line_by_line` if each line of a label stands for itself."""
    claims = Claims()
    plain = re.sub(r"<U\+([0-9A-F]+)>", lambda match: chr(int(match[1], 16)), text)
    names = {name: title for title, name in re.findall(r'^state "(.*?)(?:\\n.*)?" as (\w+)', plain, re.MULTILINE)}
    claims.otherwise = "".join(re.findall(r"^legend\n(.*)\nendlegend$", plain, re.MULTILINE))
    for start, end, label in re.findall(r"^(S_\w+) --> (S_\w+) : (.*)$", plain, re.MULTILINE):
        lines = label.split("\\n")
        if line_by_line:
            lines = [*(f"{line};" for line in lines[:-1]), lines[-1]]
        claims.arrow(lines, [names[start]], names[end], [])
    for name, note in re.findall(r"^(S_\w+) : (.*)$", plain, re.MULTILINE):
        claims.notes(names[name], [f"stays on {note}"])
    return claims


def of_markdown(text: str) -> Claims:
    """What the table of steps claims, without its reasons, of which the charts here have none."""
    claims = Claims()
    claims.otherwise = "".join(re.findall(r"^It begins in .*? must hold\. ?(.*)$", text, re.MULTILINE))
    for table in read(text).tables:
        if table[0][:2] == ["from", "to"]:
            source = ""
            for first, dest, cell in table[1:]:
                source = first or source
                claims.pairs.append((source, dest))
                for line in cell.split("\n"):
                    claims.found += [(source, trigger, guards, dest) for trigger, guards in clauses(line)]
    return claims
