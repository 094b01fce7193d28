"""As the newest source has it: what makes the heartbeat client, hands it its listener, and leaves."""

import hashlib
import os
import threading
from typing import Any

import requests
from agentcp.context import ErrorContext, exceptions
from agentcp.heartbeat.heartbeat_client import HeartbeatClient
from agentcp.msg.message_client import MessageClient


class SessionManager:
    def __init__(self) -> None:
        self.message_client_map: dict[str, MessageClient] = {}

    def join_session(self, invitation: Any) -> None:
        url = invitation.MessageServer
        client = self.message_client_map.setdefault(url, MessageClient(url))
        client.start_websocket_client()
        data = {
            "session_id": invitation.SessionId,
            "inviter_agent_id": invitation.InviterAgentId,
            "invite_code": invitation.InviteCode,
        }
        requests.post(url + "/joined", json={"cmd": "join_session_req", "data": data}, timeout=10)


class AgentID:
    def __init__(self, agent_id: str, aids: str, seed_password: str, ep_url: str) -> None:
        self.id, self.ep_url, self.seed_password = agent_id, ep_url, seed_password
        self.certificates = os.path.join(aids, agent_id, "private", "certs")
        self.heartbeat_client: Any = None
        self.session_manager: Any = None
        self.is_online_success = False

    def online(self) -> None:
        try:
            if self.heartbeat_client is not None:
                self.heartbeat_client.offline()
                self.heartbeat_client.sign_out()
            self.heartbeat_client = HeartbeatClient(self.id, self.ep_url, self.certificates, self.seed_password)
            self.heartbeat_client.initialize()
            self.session_manager = SessionManager()
            thread = threading.Thread(target=self.heartbeat_client.online)
            thread.start()
            self.heartbeat_client.set_on_recv_invite(self.__invited)
            self.is_online_success = True
        except Exception as error:  # noqa: BLE001 - as there
            ErrorContext.publish(exceptions.SDKError(message=f"agent online error: {error}"))
            self.is_online_success = False

    def __invited(self, invitation: Any) -> None:
        self.session_manager.join_session(invitation)

    def get_online_status(self, aids: list[str]) -> Any:
        return self.heartbeat_client.get_online_status(aids)

    def offline(self) -> None:
        if self.heartbeat_client:
            self.heartbeat_client.offline()
            self.heartbeat_client.sign_out()
            self.heartbeat_client = None
        self.session_manager = None


class AgentCP:
    def __init__(self, agent_data_path: str, seed_password: str = "", run_proxy: bool = True) -> None:
        self.aids = os.path.join(agent_data_path, "agentcp", "AIDs")
        self.seed_password = hashlib.sha256(seed_password.encode()).hexdigest()

    def load_aid(self, agent_id: str) -> AgentID:
        """The access point's part is left out: who runs this says where the heartbeat server is."""
        return AgentID(agent_id, self.aids, self.seed_password, os.environ["HEARTBEAT_SERVER"])
