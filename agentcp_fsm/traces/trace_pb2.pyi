from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Record(_message.Message):
    __slots__ = ("header", "step")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    header: Header
    step: Step
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., step: _Optional[_Union[Step, _Mapping]] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("format", "version", "agent_id", "config", "start", "wall", "seed")
    class ConfigEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    WALL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    format: str
    version: int
    agent_id: str
    config: _containers.ScalarMap[str, float]
    start: Snapshot
    wall: float
    seed: int
    def __init__(self, format: _Optional[str] = ..., version: _Optional[int] = ..., agent_id: _Optional[str] = ..., config: _Optional[_Mapping[str, float]] = ..., start: _Optional[_Union[Snapshot, _Mapping]] = ..., wall: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ("state", "numbers", "session", "doubtful", "known_invitations")
    class NumbersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    STATE_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    DOUBTFUL_FIELD_NUMBER: _ClassVar[int]
    KNOWN_INVITATIONS_FIELD_NUMBER: _ClassVar[int]
    state: str
    numbers: _containers.ScalarMap[str, float]
    session: Session
    doubtful: Session
    known_invitations: _containers.RepeatedCompositeFieldContainer[KnownInvitation]
    def __init__(self, state: _Optional[str] = ..., numbers: _Optional[_Mapping[str, float]] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., doubtful: _Optional[_Union[Session, _Mapping]] = ..., known_invitations: _Optional[_Iterable[_Union[KnownInvitation, _Mapping]]] = ...) -> None: ...

class KnownInvitation(_message.Message):
    __slots__ = ("invitation", "delivered_at")
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_AT_FIELD_NUMBER: _ClassVar[int]
    invitation: Invitation
    delivered_at: float
    def __init__(self, invitation: _Optional[_Union[Invitation, _Mapping]] = ..., delivered_at: _Optional[float] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("at", "event", "draws", "effects", "state")
    AT_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    DRAWS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    at: float
    event: Event
    draws: _containers.RepeatedScalarFieldContainer[float]
    effects: _containers.RepeatedCompositeFieldContainer[Effect]
    state: str
    def __init__(self, at: _Optional[float] = ..., event: _Optional[_Union[Event, _Mapping]] = ..., draws: _Optional[_Iterable[float]] = ..., effects: _Optional[_Iterable[_Union[Effect, _Mapping]]] = ..., state: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("trigger", "attempt", "reason", "retry_after", "rejected", "next_beat", "session", "invitation")
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    NEXT_BEAT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    trigger: str
    attempt: int
    reason: str
    retry_after: float
    rejected: bool
    next_beat: int
    session: Session
    invitation: Invitation
    def __init__(self, trigger: _Optional[str] = ..., attempt: _Optional[int] = ..., reason: _Optional[str] = ..., retry_after: _Optional[float] = ..., rejected: bool = ..., next_beat: _Optional[int] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., invitation: _Optional[_Union[Invitation, _Mapping]] = ...) -> None: ...

class Effect(_message.Message):
    __slots__ = ("kind", "attempt", "sequence", "connect_timeout", "session", "invitation", "reason", "source", "dest", "trigger", "detail", "at", "lost")
    KIND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DEST_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    kind: str
    attempt: int
    sequence: int
    connect_timeout: float
    session: Session
    invitation: Invitation
    reason: str
    source: str
    dest: str
    trigger: str
    detail: str
    at: float
    lost: bool
    def __init__(self, kind: _Optional[str] = ..., attempt: _Optional[int] = ..., sequence: _Optional[int] = ..., connect_timeout: _Optional[float] = ..., session: _Optional[_Union[Session, _Mapping]] = ..., invitation: _Optional[_Union[Invitation, _Mapping]] = ..., reason: _Optional[str] = ..., source: _Optional[str] = ..., dest: _Optional[str] = ..., trigger: _Optional[str] = ..., detail: _Optional[str] = ..., at: _Optional[float] = ..., lost: bool = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("host", "port", "cookie", "token", "any_address")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    COOKIE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    ANY_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    cookie: int
    token: str
    any_address: bool
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., cookie: _Optional[int] = ..., token: _Optional[str] = ..., any_address: bool = ...) -> None: ...

class Invitation(_message.Message):
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
