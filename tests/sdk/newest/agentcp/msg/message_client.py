class MessageClient:
    """Of the newest layout: it says whether it is healthy, and a start is no second connection."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self.connected = False
        self.starts = 0

    def is_healthy(self) -> bool:
        return self.connected

    def start_websocket_client(self) -> bool:
        if not self.connected:
            self.starts += 1
            self.connected = True
        return True
