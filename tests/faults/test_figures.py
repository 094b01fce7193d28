"""The figures, scaled down: what is claimed is measured by ``python -m tests.faults.figures``."""

from dataclasses import replace

from agentcp_fsm import Config
from tests.faults.figures import Figure, after_401, after_an_outage, by_the_machine_alone, in_silence, stopping
from tests.timings import SCALED


def reached(figures: list[Figure]) -> None:
    missed = [figure for figure in figures if not figure.reached]
    assert not missed


def test_a_401_is_soon_made_good() -> None:
    (figure,) = after_401(3, spread=0.0)
    assert figure.measured < 2.0


def test_an_outage_of_the_sign_in_is_cheap_and_ends_soon() -> None:
    reached(after_an_outage(3, 2.0, replace(SCALED, backoff_max=2.0), 0.1, "refused", back=3.0))


def test_the_machine_returns_from_an_outage_as_soon_as_it_is_to() -> None:
    reached(by_the_machine_alone(2000, 40.0, Config(), back=8.0))


def test_silence_is_cheap() -> None:
    reached(in_silence(1.5, SCALED, 0.1))


def test_stop_is_prompt_while_a_sign_in_hangs_and_leaves_nothing() -> None:
    reached(stopping(1, Config(sign_in_interval_min=0.0)))
