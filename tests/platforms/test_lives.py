"""Whole lives where other systems' lacks are simulated: each alone, and all of them together."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.needs import needs_linux
from tests.platforms.programs import ALL, life_of

needs_linux("what other systems lack is taken away from this one")

LIFE = ["sign-in", "beats", "invitation", "outage", "401", "nobody at the port", "hanging sign-in", "stop"]


@pytest.mark.parametrize("absences", [*[(name,) for name in ALL], ALL], ids=lambda absences: "-".join(absences))
def test_a_whole_life(absences: tuple[str, ...]) -> None:
    with ThreadPoolExecutor() as pool:  # the two lives wait for most of their time
        lives = [*pool.map(partial(life_of, absences=absences), ["threaded", "async"])]
    for seen in lives:
        assert [each["seen"] for each in seen] == LIFE
        assert seen[1] == {"seen": "beats", "address": True}
        assert seen[-1] == {"seen": "stop", "stopped": True, "state": "OFFLINE", "socket": None, "watched": 0}
