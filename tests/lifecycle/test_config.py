"""Each field of the configuration: what is accepted, and how what is not is refused."""

import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.errors import AgentCPError, ConfigError
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.testing import strategies

FIELDS = {item.name: item for item in fields(Config)}
SECONDS = [name for name, item in FIELDS.items() if item.metadata.get("unit") == "seconds"]
SHARES = [name for name, item in FIELDS.items() if item.metadata.get("unit") == "share"]
COUNTS = [name for name, item in FIELDS.items() if item.metadata.get("unit") == "count"]
NO_NUMBERS: list[Any] = ["5", None, True, False, [5], 5j]
ZERO = {
    "sign_in_interval_min", "unauthorized_spread", "discovery_interval_min", "failure_instant", "stable_after",
    "flapping_span", "invitation_window",
}  # fmt: skip
PAIRS = [
    ("interval_min", "interval_max"), ("send_retry_initial", "send_retry_max"), ("backoff_initial", "backoff_max"),
    ("sign_in_interval_min", "backoff_max"),
]  # fmt: skip


def test_every_field_is_of_a_known_kind() -> None:
    assert {*SECONDS, *COUNTS, *SHARES} == set(FIELDS)


def test_the_defaults_are_the_specifications() -> None:
    config = Config()
    assert (config.interval_min, config.interval_max) == (5.0, 30.0)  # rule 1
    assert (config.probe_interval, config.probe_limit, config.probe_time_max) == (1.0, 3, 30.0)  # rule 2
    assert config.retransmission_min == 1.0  # rule 3
    assert (config.send_retry_initial, config.send_retry_max) == (1.0, 30.0)  # rule 3
    assert (config.send_failure_limit, config.receive_failure_limit, config.silence_limit) == (3, 3, 3)  # rule 4
    assert config.silence_timeout == 15.0  # rule 4
    assert config.sign_in_interval_min == 5.0  # rule 5
    assert (config.backoff_initial, config.backoff_max) == (1.0, 30.0)  # rule 6
    assert config.sign_in_attempt_limit is None  # rule 6
    assert (config.stable_after, config.flapping_limit, config.flapping_span) == (30.0, 3, 90.0)  # rule 6
    assert (config.connect_timeout, config.connect_timeout_max) == (2.0, 10.0)  # rule 2
    assert config.invitation_window == 5.0  # rule 10


def refused(name: str, value: object) -> str:
    with pytest.raises(ConfigError) as error:
        Config(**{name: value})  # type: ignore[arg-type]
    assert isinstance(error.value, AgentCPError)
    assert isinstance(error.value, ValueError)
    assert str(error.value).startswith(f"{name}={value!r}"[:60]), "the field and its value are named"
    return str(error.value)


@pytest.mark.parametrize("name", SECONDS)
@given(
    value=st.one_of(
        st.floats(max_value=-1e-300),
        st.floats(1e-300, 0.00099),
        st.floats(min_value=1.1e9),
        st.integers(max_value=-1),
        st.sampled_from(NO_NUMBERS),
    )
)
def test_seconds_that_cannot_work(name: str, value: object) -> None:
    assert "finite number of seconds" in refused(name, value)


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, -(10**400)], ids=lambda v: repr(v)[:6])
def test_seconds_that_are_no_time(name: str, value: float) -> None:
    """An integer beyond the range of a float used to raise OverflowError."""
    assert "finite number of seconds" in refused(name, value)


@pytest.mark.parametrize("name", SECONDS)
def test_the_shortest_and_the_longest_seconds(name: str) -> None:
    """Times that a float loses beside the clock's would leave the machine awake for ever, or asleep."""
    below: dict[str, Any] = {low: 0.001 for low, high in PAIRS if high == name}
    assert getattr(Config(**{**below, name: 0.001}), name) == 0.001
    above: dict[str, Any] = {high: 1e9 for low, high in PAIRS if low == name}
    assert getattr(Config(**{**above, name: 1e9}), name) == 1e9


@pytest.mark.parametrize("name", SECONDS)
def test_zero_seconds_only_where_they_mean_something(name: str) -> None:
    if name in ZERO:
        assert getattr(Config(**{name: 0}), name) == 0
        assert "0 or 0.001 to 1000000000" in refused(name, -1)
    else:
        assert "seconds, 0.001 to 1000000000" in refused(name, 0)
        refused(name, 0.0)


@pytest.mark.parametrize("name", COUNTS)
@given(value=st.one_of(st.integers(max_value=0), st.floats(), st.sampled_from(["3", True, False, [3]])))
def test_counts_that_cannot_work(name: str, value: object) -> None:
    text = refused(name, value)
    optional = ", or None" if name == "sign_in_attempt_limit" else ""
    assert text == f"{name}={value!r}: give a whole number, 1 to 1000000{optional}"


@pytest.mark.parametrize("name", COUNTS)
def test_counts_that_work(name: str) -> None:
    assert getattr(Config(**{name: 1}), name) == 1
    assert getattr(Config(**{name: 1_000_000}), name) == 1_000_000
    refused(name, 1_000_001)
    if name != "sign_in_attempt_limit":
        refused(name, None)


@pytest.mark.parametrize("name", SHARES)
@given(value=st.one_of(st.floats(max_value=-1e-9), st.floats(min_value=1.0000001), st.sampled_from(NO_NUMBERS)))
def test_shares_that_cannot_work(name: str, value: object) -> None:
    if value is not True:
        assert "between 0 and 1" in refused(name, value)


@pytest.mark.parametrize("name", SHARES)
@pytest.mark.parametrize("value", [math.nan, True, 10**400], ids=["nan", "True", "huge"])
def test_shares_that_are_none(name: str, value: object) -> None:
    assert "between 0 and 1" in refused(name, value)


@pytest.mark.parametrize("name", SHARES)
@given(value=st.floats(0, 1))
def test_shares_that_work(name: str, value: float) -> None:
    assert getattr(Config(**{name: value}), name) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), PAIRS)
def test_a_minimum_above_its_maximum(low: str, high: str) -> None:
    default = getattr(Config(), high)
    with pytest.raises(ConfigError) as error:
        Config(**{low: default + 1})
    assert str(error.value) == f"{low}={default + 1!r} is above {high}={default!r}: lower the one or raise the other"
    assert getattr(Config(**{low: default}), low) == default, "they may be equal"


@given(strategies.configs())
def test_valid_configurations_are_values(config: Config) -> None:
    assert replace(config) == config
    assert hash(replace(config)) == hash(config)
    assert config != replace(config, probe_limit=config.probe_limit + 1)
    for bound in (
        config.silence_bound, config.backoff_bound, config.attempt_bound, config.stop_bound, config.return_bound
    ):  # fmt: skip
        assert bound > 0
        assert bound <= config.recovery_bound or bound == config.return_bound == config.probe_interval


def test_it_is_frozen_and_by_keyword_only() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().probe_limit = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Config(5.0)  # type: ignore[call-arg]
    assert not hasattr(Config(), "__dict__")


def test_the_bounds_of_the_defaults() -> None:
    config = Config()
    assert config.silence_bound == 46.0
    assert config.backoff_bound == 632.0
    assert config.attempt_bound == 65.0
    assert config.recovery_bound == 65.0 + 632.0 + 65.0
    assert config.return_bound == 30.0
    assert config.stop_bound == 3.0


def test_the_bounds_follow_the_configuration() -> None:
    assert Config(silence_limit=1).silence_bound == 45.0
    assert Config(silence_limit=1, silence_timeout=100.0).silence_bound == 60.0
    assert Config(silence_limit=5, silence_timeout=1000.0).silence_bound == 151.0
    assert Config(silence_timeout=4.0, retransmission_min=0.5).silence_bound == 34.5
    assert Config(silence_timeout=4.0, retransmission_min=1e6).silence_bound == 38.0
    assert Config(unauthorized_spread=1000.0).backoff_bound == 1630.0
    assert Config(backoff_max=1000.0).backoff_bound == 2002.0
    assert Config(flapping_wait=1000.0).backoff_bound == 1032.0
    assert Config(retry_after_max=1.0, flapping_wait=1.0, sign_in_interval_min=28.0).backoff_bound == 62.0
    assert Config(probe_limit=100).attempt_bound == 135.0
    assert Config(probe_time_max=100.0).attempt_bound == 135.0
    assert Config(retry_after_max=2000.0).recovery_bound == 65.0 + 2032.0 + 65.0
    assert Config(interval_max=300.0, silence_timeout=1000.0).recovery_bound == 901.0 + 632.0 + 65.0
    assert Config(sign_out_timeout=2000.0).recovery_bound == 2000.0 + 65.0
    assert Config(sign_out_timeout=9.0).stop_bound == 9.0
    assert Config(interval_max=300.0).return_bound == 300.0
    assert Config(probe_interval=100.0).return_bound == 100.0
