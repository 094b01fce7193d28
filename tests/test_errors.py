"""All errors of the package are in one place, under one base class."""

from importlib import import_module
from pkgutil import walk_packages

import agentcp_fsm
from agentcp_fsm import errors


def kinds_of(error: type[Exception]) -> set[type[Exception]]:
    return {error}.union(*map(kinds_of, error.__subclasses__()))


def test_every_error_of_the_package_is_in_its_module_of_errors() -> None:
    for module in walk_packages(agentcp_fsm.__path__, "agentcp_fsm."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    ours = {kind for kind in kinds_of(errors.AgentCPError) if kind.__module__.startswith("agentcp_fsm")}
    assert {kind.__module__ for kind in ours} == {errors.__name__}


def test_whatever_a_sign_in_raises_can_be_caught_by_names_of_the_package() -> None:
    for kind in kinds_of(errors.SignInError):
        assert getattr(agentcp_fsm, kind.__name__) is kind
