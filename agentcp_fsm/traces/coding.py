"""A trace as a file: trace.proto is the schema.  Secrets are replaced on the way out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

from google.protobuf import proto
from google.protobuf.message import DecodeError

from agentcp_fsm.errors import ConfigError, TraceError
from agentcp_fsm.lifecycle.chart import State
from agentcp_fsm.lifecycle.config import Config
from agentcp_fsm.lifecycle.effects import Effect
from agentcp_fsm.lifecycle.events import EVENTS, Event
from agentcp_fsm.lifecycle.session import Invitation, Session
from agentcp_fsm.lifecycle.variables import Snapshot, Variables
from agentcp_fsm.support.files import read_small
from agentcp_fsm.support.quoting import quoted
from agentcp_fsm.traces import trace_pb2
from agentcp_fsm.traces.trace import Step, Trace

FORMAT = "agentcp-fsm trace"
VERSION = 1
LARGEST = 256 * 1024 * 1024
"""Bytes of a file that is read."""
BOUND = 2**53
"""Larger numbers of the network are recorded as this: it is exact in every form, and bounded by the machine anyway."""

_EVENTS = {kind.trigger: kind for kind in EVENTS}
_EFFECTS = {kind.__name__: kind for kind in get_args(Effect)}
_APART = ("state", "session", "doubtful", "known_invitations")
"""The fields of a snapshot that are no numbers."""


def write_trace(file: str | os.PathLike[str], trace: Trace) -> None:
    """Write a trace, for its owner only, in place of what is there; raises OSError.

    Cookies, tokens and invitation codes are replaced: equal ones by equal numbers and names.
    """
    path = Path(file)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
            opened.write(_encoded(trace))
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_trace(file: str | os.PathLike[str]) -> Trace:
    """Read a trace; a torn end is left out, and noted in `torn`.

    Raises TraceError, which names the file, for one that is no trace, and OSError for one that cannot be read.
    """
    content = BytesIO(read_small(file, LARGEST))
    try:
        header = proto.parse_length_prefixed(trace_pb2.Record, content)
    except (DecodeError, ValueError, EOFError, MemoryError, OverflowError):
        header = None
    if header is None or header.header.format != FORMAT:
        raise TraceError(f"{file} is no trace of a connection: give a file that --traces or write_trace has written")
    if header.header.version != VERSION:
        raise TraceError(
            f"{file} is a trace of version {header.header.version}, and this reads {VERSION}: update agentcp-fsm"
        )
    steps, torn = [], False
    try:
        while not torn:
            try:
                record = proto.parse_length_prefixed(trace_pb2.Record, content)
            except (DecodeError, ValueError, EOFError, MemoryError, OverflowError):
                torn = True
            else:
                if record is None:
                    break
                steps.append(_step(record.step))
        return Trace(
            config=_config(header.header.config),
            start=_snapshot(header.header.start),
            steps=tuple(steps),
            agent_id=header.header.agent_id,
            wall=header.header.wall if header.header.HasField("wall") else None,
            seed=header.header.seed if header.header.HasField("seed") else None,
            torn=torn,
        )
    except (KeyError, ConfigError, TypeError, ValueError) as error:
        raise TraceError(f"{file} is a trace that this version does not understand: {quoted(str(error))}") from error


# Out -----------------------------------------------------------------------------------------------------------------


class _Names:
    """Stands in for secrets: the first one is 1, and so on."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, object], int] = {}
        self._counts: dict[str, int] = {}

    def number(self, kind: str, secret: object) -> int:
        if (kind, secret) not in self._numbers:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._numbers[kind, secret] = self._counts[kind]
        return self._numbers[kind, secret]

    def session(self, session: Session) -> trace_pb2.Session:
        return trace_pb2.Session(
            host=_text(session.host),
            port=session.port,
            cookie=self.number("cookie", session.cookie),
            token=f"token-{self.number('token', session.token)}",
            any_address=session.any_address,
        )

    def invitation(self, invitation: Invitation) -> trace_pb2.Invitation:
        return trace_pb2.Invitation(
            inviter_agent_id=_text(invitation.inviter_agent_id),
            invite_code=f"code-{self.number('code', invitation.invite_code)}",
            invite_code_expire=_bounded(invitation.invite_code_expire),
            session_id=_text(invitation.session_id),
            message_server=_text(invitation.message_server),
        )


def _encoded(trace: Trace) -> bytes:
    names = _Names()
    header = trace_pb2.Header(format=FORMAT, version=VERSION, agent_id=_text(trace.agent_id))
    for field in fields(trace.config):
        if (value := getattr(trace.config, field.name)) is not None:
            header.config[field.name] = value
    header.start.CopyFrom(_snapshot_message(trace.start, names))
    if trace.wall is not None:
        header.wall = trace.wall
    if trace.seed is not None:
        header.seed = trace.seed
    output = BytesIO()
    proto.serialize_length_prefixed(trace_pb2.Record(header=header), output)
    for step in trace.steps:
        message = trace_pb2.Step(at=step.at, draws=step.draws, state=step.state)
        message.event.trigger = step.event.trigger
        _put(message.event, step.event, names)
        for effect in step.effects:
            said = message.effects.add(kind=type(effect).__name__)
            _put(said, effect, names)
        proto.serialize_length_prefixed(trace_pb2.Record(step=message), output)
    return output.getvalue()


def _snapshot_message(snapshot: Snapshot, names: _Names) -> trace_pb2.Snapshot:
    message = trace_pb2.Snapshot(state=snapshot.state)
    for name, value in zip(Snapshot._fields, snapshot, strict=True):
        if isinstance(value, int | float) and name not in _APART:
            message.numbers[name] = min(value, BOUND) if isinstance(value, int) else value
    for name in ("session", "doubtful"):
        if (session := getattr(snapshot, name)) is not None:
            getattr(message, name).CopyFrom(names.session(session))
    for invitation, at in snapshot.known_invitations:
        message.known_invitations.add(invitation=names.invitation(invitation), delivered_at=at)
    return message


def _put(message: trace_pb2.Event | trace_pb2.Effect, value: Event | Effect, names: _Names) -> None:
    for field in fields(value):  # type: ignore[arg-type]  # each kind of both is a dataclass
        match content := getattr(value, field.name):
            case None:
                pass
            case Session():
                message.session.CopyFrom(names.session(content))
            case Invitation():
                message.invitation.CopyFrom(names.invitation(content))
            case str():
                setattr(message, field.name, _text(content))
            case bool() | float():
                setattr(message, field.name, content)
            case _:
                setattr(message, field.name, _bounded(content))


def _text(text: str) -> str:
    """The text without what no UTF-8 can hold."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _bounded(number: int) -> int:
    return min(max(number, -BOUND), BOUND)


# In ------------------------------------------------------------------------------------------------------------------


def _config(settings: Mapping[str, float]) -> Config:
    known = {field.name: field for field in fields(Config)}
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"there is no setting {unknown[0]}")
    counts = {name for name, field in known.items() if field.metadata.get("unit") == "count"}
    values: dict[str, Any] = {name: int(value) if name in counts else value for name, value in settings.items()}
    values |= {name: None for name in known if name not in values and known[name].metadata.get("optional")}
    return Config(**values)


_MODEL = Variables(Config(), None)  # type: ignore[arg-type]  # which draws nothing
"""A machine's memory, for the types of its variables."""
_OPTIONAL_INTEGERS = ("late_sign_in",)


def _snapshot(message: trace_pb2.Snapshot) -> Snapshot:
    values: dict[str, Any] = {"state": State(message.state)}
    for name in Snapshot._fields:
        if name in _APART:
            continue
        if name in _OPTIONAL_INTEGERS:
            values[name] = int(message.numbers[name]) if name in message.numbers else None
        elif name not in message.numbers:
            raise KeyError(f"the snapshot has no {name}")
        else:
            values[name] = type(getattr(_MODEL, name))(message.numbers[name])
    for name in ("session", "doubtful"):
        values[name] = _session(getattr(message, name)) if message.HasField(name) else None
    values["known_invitations"] = tuple(
        (_invitation(known.invitation), known.delivered_at) for known in message.known_invitations
    )
    return Snapshot(**values)


def _step(message: trace_pb2.Step) -> Step:
    event: Event = _made(_EVENTS[message.event.trigger], message.event)
    effects = tuple(_made(_EFFECTS[effect.kind], effect) for effect in message.effects)
    return Step(event, message.at, effects, tuple(message.draws), str(State(message.state)))


def _made(kind: type[Any], message: Any) -> Any:
    values: dict[str, Any] = {}
    for field in fields(kind):
        name = field.name
        if not message.HasField(name):
            if field.default is MISSING:
                raise KeyError(f"{kind.__name__} has no {name}")
        elif name == "session":
            values[name] = _session(message.session)
        elif name == "invitation":
            values[name] = _invitation(message.invitation)
        elif name in ("source", "dest"):
            values[name] = State(getattr(message, name))
        else:
            values[name] = getattr(message, name)
    return kind(**values)


def _session(message: trace_pb2.Session) -> Session:
    return Session(message.host, message.port, message.cookie, message.token, message.any_address)


def _invitation(message: trace_pb2.Invitation) -> Invitation:
    return Invitation(
        message.inviter_agent_id,
        message.invite_code,
        message.invite_code_expire,
        message.session_id,
        message.message_server,
    )
