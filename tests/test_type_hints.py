"""Type hints can be evaluated, as beartype, pydantic, FastAPI and Sphinx do: each name in them is there at run time."""

import inspect
import typing
from collections.abc import Iterator
from importlib import import_module

import pytest

PACKAGES = ("", ".connection", ".doctor", ".sdk", ".server", ".sign_in", ".testing", ".wire")


def public_names() -> Iterator[tuple[str, object]]:
    for package in PACKAGES:
        module = import_module(f"agentcp_fsm{package}")
        for name in module.__all__:
            yield f"{module.__name__}.{name}", getattr(module, name)


PUBLIC = dict(public_names())


def signatures(value: object) -> Iterator[object]:
    """The value itself, and what is public of a class."""
    if inspect.isclass(value):
        yield value
        for kind in value.__mro__:
            if not kind.__module__.startswith("agentcp_fsm"):
                continue
            for name, member in vars(kind).items():
                if name.startswith("_") and name != "__init__":
                    continue
                function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if inspect.isfunction(function):
                    yield function
    elif inspect.isfunction(value):
        yield value


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_signature(name: str) -> None:
    """`Connection`, `AsyncConnection` and others named types that were there for the type checker alone."""
    for each in signatures(PUBLIC[name]):
        if inspect.isclass(each) and not all(kind.__module__.startswith("agentcp_fsm") for kind in each.__mro__[:-1]):
            inspect.get_annotations(each, eval_str=True)  # not those of its base
        else:
            typing.get_type_hints(each)


def test_what_is_looked_at() -> None:
    assert {"Connection", "AsyncConnection", "Chart", "Lifecycle"} <= {name.rpartition(".")[2] for name in PUBLIC}
    assert len(list(signatures(PUBLIC["agentcp_fsm.Connection"]))) > 10
