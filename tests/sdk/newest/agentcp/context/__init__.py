from . import exceptions


class _Context:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.errors: list[exceptions.SDKError] = []

    def publish(self, error: "exceptions.SDKError") -> None:
        self.errors.append(error)


ErrorContext = _Context()

__all__ = ["ErrorContext", "exceptions"]
