"""The services of the SDK's own heartbeat client to the rest of the SDK: errors for its context, news for its messages.

Nothing of the SDK is imported here: a part that the program does not use needs no news.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

logger = logging.getLogger("agentcp_fsm.sdk")

FAILURE_CODE = 1000
"""The SDK's code of an error without one of its own."""


def publish(text: str, code: int = FAILURE_CODE) -> None:
    """Hand an error to the SDK's `ErrorContext`, if there is one, which informs its subscribers."""
    context: Any = sys.modules.get("agentcp.context")
    if context is None:
        return
    try:
        context.ErrorContext.publish(context.exceptions.SDKError(text, code=code))
    except Exception as error:  # noqa: BLE001 - it is the SDK's own code, of whatever version
        logger.debug("the SDK's ErrorContext takes no error: %r", error)


def reconnect_message_clients(agent_id: str, listener: object) -> None:
    """Have the message clients of the agent that listens connect again, if they lost their servers too.

    The agent is the one whose method ``listener`` is.  SDKs of the newest layout have clients that say whether they
    are healthy, and to which a start is no second connection; older ones see to themselves, and are left alone.
    """
    sessions = getattr(getattr(listener, "__self__", None), "session_manager", None)
    clients: dict[str, Any] = getattr(sessions, "message_client_map", {})
    for client in list(clients.values()):
        if not hasattr(client, "is_healthy"):
            continue
        try:
            if not client.is_healthy():
                logger.info("%s is reachable again: its message client connects again", agent_id)
                client.start_websocket_client()
        except Exception as error:  # noqa: BLE001 - it is the SDK's own code, of whatever version
            logger.warning("%s: its message client does not connect again: %r", agent_id, error)
