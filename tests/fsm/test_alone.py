"""The engine could be published alone: it imports nothing of the package but its errors."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agentcp_fsm.fsm

ROOM = Path(agentcp_fsm.fsm.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
ALLOWED = ("agentcp_fsm.fsm", "agentcp_fsm.errors")


def imported(text: str) -> set[str]:
    """The modules that a program imports anywhere: when it is loaded, in functions, for the type checker, by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names):
                found.update(each.name for each in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                found.update(f"{'.' * level}{module or ''}.{each.name}" for each in names)
            case ast.Call(func=ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module")):
                found.update(
                    part.value
                    for part in ast.walk(node)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_nothing_of_the_package_is_imported_but_the_engine_and_the_errors(path: Path) -> None:
    ours = {name for name in imported(path.read_text(encoding="utf-8")) if name.startswith(("agentcp_fsm", "."))}
    assert [name for name in ours if not f"{name}.".startswith(tuple(f"{each}." for each in ALLOWED))] == []


def test_every_import_of_a_program_is_found() -> None:
    text = """
from agentcp_fsm import lifecycle
from . import one
from ..two import three
def f():
    import agentcp_fsm.wire
    import_module(f"agentcp_fsm.{name}", "agentcp_fsm.cli")
    importlib.import_module("agentcp_fsm.sdk")
if TYPE_CHECKING:
    from agentcp_fsm.doctor import x
"""
    assert imported(text) == {
        "agentcp_fsm.lifecycle", "..one", "..two.three", "agentcp_fsm.wire", "agentcp_fsm.", "agentcp_fsm.cli",
        "agentcp_fsm.sdk", "agentcp_fsm.doctor.x",
    }  # fmt: skip
    assert len(FILES) > len([*ROOM.glob("*.py")]) > 5


def test_it_is_loaded_and_drawn_without_the_rest_of_the_package() -> None:
    program = """
import sys
from importlib import import_module
from agentcp_fsm.fsm.chart import Chart, ChartState, Row
from agentcp_fsm.fsm.diagram.formats import FORMATS
from agentcp_fsm.fsm.walk import Walk
rows = (Row("press", "OFF", "ON"), Row("press", "ON", "OFF"))
chart = Chart("lamp", "OFF", (ChartState("OFF"), ChartState("ON")), rows)
Walk(chart).send("press")
for format in FORMATS.values():
    import_module(f"agentcp_fsm.fsm.diagram.{format.module}")
for name in ("dot", "mermaid", "plantuml", "scxml", "xstate", "markdown", "json"):
    FORMATS[name].export(chart)
rest = [name for name in sys.modules if name.startswith("agentcp_fsm.")]
rest = [name for name in rest if not f"{name}.".startswith(("agentcp_fsm.fsm.", "agentcp_fsm.errors."))]
sys.exit(", ".join(rest) or 0)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
