"""Agents of the SDK's old and new versions, through their whole life, on our heartbeat client."""

import pytest

from tests.needs import needs
from tests.sdk.lives import STEPS, folders, live, old_versions

OLD = ("0.1.40", "0.1.60")
"""The oldest that is promised, and the first whose modules are in packages, with leftovers beside them."""


@pytest.mark.parametrize("version", [*OLD, "0.1.99", "newest layout"])
def test_a_life_of_each_version(version: str) -> None:
    needs(
        version in folders(),
        f"agentcp {version} in {old_versions()}",
        f"pip install --no-deps --target {old_versions() / version} agentcp=={version}",
    )
    assert live(folders()[version]) == dict.fromkeys(STEPS, "yes")
