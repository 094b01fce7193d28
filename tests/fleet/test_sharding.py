"""Which process has which agent."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agentcp_fsm.fleet.sharding import shard_of
from tests.fleet.agents import name

AGENTS = [name(number) for number in range(2000)]


@given(st.text(max_size=30), st.integers(1, 20))
def test_with_one_shard_more_an_agent_stays_or_moves_to_the_new_one(agent_id: str, shards: int) -> None:
    before, after = shard_of(agent_id, shards), shard_of(agent_id, shards + 1)
    assert 0 <= before < shards
    assert after in (before, shards)


def test_the_shards_are_about_equal() -> None:
    counts = Counter(shard_of(agent_id, 4) for agent_id in AGENTS)
    assert set(counts) == {0, 1, 2, 3}
    assert max(counts.values()) - min(counts.values()) < 150


def test_no_spelling_of_an_id_is_elsewhere() -> None:
    assert all(shard_of(agent_id, 7) == shard_of(agent_id.upper(), 7) for agent_id in AGENTS[:100])
