"""A message server restarts, and invites again whom it had invited: the same invitation, not a repeated datagram."""

from pathlib import Path

from agentcp_fsm import Invitation
from agentcp_fsm.server import ServerThread
from tests.sdk.conftest import ALICE, FAST, PASSWORD
from tests.sdk.internet import Internet, MessageServer
from tests.sdk.sdk import SDKProgram
from tests.sdk.test_sdk_agent import AGENT, folder, internet, joined, messages
from tests.waiting import until

__all__ = ["folder", "internet", "messages"]


def test_the_same_invitation_is_delivered_again_after_the_message_server_closed_the_session(
    server: ServerThread, internet: Internet, folder: Path, messages: MessageServer, next_beat: float
) -> None:
    """It was taken for a repetition for ever: the agent was never in the session again (rule 10)."""
    invitation = Invitation("bob.agentid.pub", "CODE", 1893456000, "session-1", messages.url)
    with SDKProgram(AGENT, str(folder), ALICE, PASSWORD, str(internet.ca_file), **internet.environment) as agent:
        assert agent.ask("online")["online"]
        server.invite(ALICE, invitation)
        joined(messages, invitation, 1)
        messages.drop()  # after which the SDK does nothing by itself
        answers = server.statistics().answers + FAST.invitation_window / next_beat + 2
        until(lambda: server.statistics().answers > answers)  # the window has passed
        joined(messages, invitation, 1)
        server.invite(ALICE, invitation)
        until(lambda: len(messages.messages) >= 2)  # it says that it joins when it is connected, and when it accepts
        assert {message["cmd"] for message in messages.messages} == {"join_session_req"}
        agent.ask("offline")
