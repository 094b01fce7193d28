"""All errors of the package are in one place, under one base class."""

import copy
import pickle
from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages

import pytest

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


REFUSED = errors.SignInError(
    errors.FailureKind.HTTP_STATUS, "503", remedy="wait", status=503, retry_after=3.0, field="nonce"
)
MADE_OTHERWISE: dict[type[errors.AgentCPError], errors.AgentCPError] = {
    errors.SignInError: REFUSED,
    errors.ServerProofError: errors.ServerProofError("its certificate is old"),
    errors.DiscoveryError: errors.DiscoveryError(errors.DiscoveryStep.TLS, "alice.agentid.pub", REFUSED),
    errors.URLError: errors.URLError("no URL", "give one"),
}
"""The errors whose constructor takes more than a text."""


@pytest.mark.parametrize("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", sorted(kinds_of(errors.AgentCPError), key=str))
def test_every_error_can_be_pickled_and_copied(
    kind: type[errors.AgentCPError], again: Callable[[errors.AgentCPError], errors.AgentCPError]
) -> None:
    """A sign-in's error broke the process pool that carried it."""
    error = MADE_OTHERWISE.get(kind) or kind("a text")
    error.add_note("a note")
    made = again(error)
    assert type(made) is kind
    assert (made.args, str(made), vars(made)) == (error.args, str(error), vars(error))
    assert made.__dict__ is not error.__dict__
