from agentcp.msg.message_client import MessageClient
from agentcp.msg.message_serialize import InviteMessageReq

__all__ = ["InviteMessageReq", "MessageClient"]
