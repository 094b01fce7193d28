"""Imports run one way, from the edge to the core."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import agentcp_fsm

PACKAGE = Path(agentcp_fsm.__file__).parent
LAYERS = (
    {"cli"},
    {"fleet"},
    {"operations", "pytest_plugin", "simulation", "verification"},
    {"sdk", "doctor", "testing"},
    {"connection", "server"},
    {"sign_in", "traces", "wire"},
    {"lifecycle"},
    {"fsm"},
    {"support"},
    {"errors"},
)
"""The modules and packages, from the edge to the core: each may import what is below it, or itself."""
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
CORE = ("fsm", "lifecycle")
OUTSIDE = {"asyncio", "random", "select", "socket", "ssl", "threading", "time", "requests", "urllib3", "cryptography"}
"""What no part of the core may import: clocks, sockets, threads and chance."""


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, anywhere but for the type checker alone."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                waiting.extend(node.orelse)
            case ast.Import(names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{each.name}" for each in names) if module == "agentcp_fsm" else (module,)
            case _:
                waiting.extend(ast.iter_child_nodes(node))


def test_each_part_has_its_layer() -> None:
    parts = {path.stem for path in PACKAGE.glob("*") if path.is_dir() or path.suffix == ".py"}
    assert {part for part in parts if not part.startswith("__")} == set(LEVEL)


@pytest.mark.parametrize("part", sorted(LEVEL))
def test_imports_run_one_way(part: str) -> None:
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").exists() else [*(PACKAGE / part).rglob("*.py")]
    assert files
    for path in files:
        for module in imports(path):
            package, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if package == "agentcp_fsm" and other in LEVEL and other != part:
                assert LEVEL[part] < LEVEL[other], f"{path.name} imports {module}"


@pytest.mark.parametrize("part", sorted(set(LEVEL) - {"fsm"}))
def test_no_circle_of_modules_even_for_the_type_checker(part: str) -> None:
    needs: dict[str, set[str]] = {}
    for path in (PACKAGE / part).rglob("*.py"):
        if path.stem != "__init__":
            name = ".".join(("agentcp_fsm", *path.relative_to(PACKAGE).with_suffix("").parts))
            needs[name] = set()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    needs[name].update((str(node.module), *(f"{node.module}.{each.name}" for each in node.names)))
    try:
        TopologicalSorter({name: modules & needs.keys() for name, modules in needs.items()}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {error.args[1]}")


@pytest.mark.parametrize("part", CORE)
def test_the_core_does_no_input_or_output(part: str) -> None:
    files = [path for path in (PACKAGE / part).rglob("*.py") if "diagram" not in path.parts]
    assert files
    used = {module.partition(".")[0] for path in files for module in imports(path)}
    assert not used & OUTSIDE


FOREIGN = {"_dns_host", "_new_conn", "_fields", "_replace", "_get_running_loop"}
"""Underscore names of other libraries: urllib3's connections, named tuples, asyncio."""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_reaches_for_anothers_private_names(path: Path) -> None:
    if path.stem.endswith("_pb2"):
        return
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("agentcp_fsm"):
            used.update(each.name for each in node.names)
        elif isinstance(node, ast.Attribute):
            of_itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (own if of_itself else used).add(node.attr)
    assert [name for name in used - own - FOREIGN if name.startswith("_") and not name.endswith("__")] == []
