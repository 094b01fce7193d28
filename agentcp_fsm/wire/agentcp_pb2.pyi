from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Datagram(_message.Message):
    __slots__ = ("sequence", "mask", "heartbeat_request", "heartbeat_response", "invite_request", "invite_response")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_REQUEST_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    INVITE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    INVITE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    mask: int
    heartbeat_request: HeartbeatRequest
    heartbeat_response: HeartbeatResponse
    invite_request: InviteRequest
    invite_response: InviteResponse
    def __init__(self, sequence: _Optional[int] = ..., mask: _Optional[int] = ..., heartbeat_request: _Optional[_Union[HeartbeatRequest, _Mapping]] = ..., heartbeat_response: _Optional[_Union[HeartbeatResponse, _Mapping]] = ..., invite_request: _Optional[_Union[InviteRequest, _Mapping]] = ..., invite_response: _Optional[_Union[InviteResponse, _Mapping]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("agent_id", "sign_cookie")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    SIGN_COOKIE_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    sign_cookie: int
    def __init__(self, agent_id: _Optional[str] = ..., sign_cookie: _Optional[int] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("next_beat",)
    NEXT_BEAT_FIELD_NUMBER: _ClassVar[int]
    next_beat: int
    def __init__(self, next_beat: _Optional[int] = ...) -> None: ...

class InviteRequest(_message.Message):
    __slots__ = ("inviter_agent_id", "invite_code", "invite_code_expire", "session_id", "message_server")
    INVITER_AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    INVITE_CODE_FIELD_NUMBER: _ClassVar[int]
    INVITE_CODE_EXPIRE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_SERVER_FIELD_NUMBER: _ClassVar[int]
    inviter_agent_id: str
    invite_code: str
    invite_code_expire: int
    session_id: str
    message_server: str
    def __init__(self, inviter_agent_id: _Optional[str] = ..., invite_code: _Optional[str] = ..., invite_code_expire: _Optional[int] = ..., session_id: _Optional[str] = ..., message_server: _Optional[str] = ...) -> None: ...

class InviteResponse(_message.Message):
    __slots__ = ("agent_id", "inviter_agent_id", "session_id", "sign_cookie")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    INVITER_AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGN_COOKIE_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    inviter_agent_id: str
    session_id: str
    sign_cookie: int
    def __init__(self, agent_id: _Optional[str] = ..., inviter_agent_id: _Optional[str] = ..., session_id: _Optional[str] = ..., sign_cookie: _Optional[int] = ...) -> None: ...
