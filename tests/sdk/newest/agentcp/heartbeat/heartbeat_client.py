class HeartbeatClient:
    """To be replaced: it does nothing but be there."""

    def __init__(self, agent_id: str, server_url: str, aid_path: str, seed_password: str) -> None:
        raise AssertionError("the SDK's own heartbeat client was made")
