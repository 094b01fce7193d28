"""Which of several processes has which agent."""

from __future__ import annotations

from hashlib import blake2b

from agentcp_fsm.support.names import folded


def shard_of(agent_id: str, shards: int) -> int:
    """The shard of an agent, from 0 on, by rendezvous hashing: with one shard more, only agents of that one move."""
    key = folded(agent_id).encode()
    return max(range(shards), key=lambda shard: blake2b(key, digest_size=8, salt=shard.to_bytes(8, "big")).digest())
