"""Every configuration that can be made makes a connection: times are judged by one validator."""

from dataclasses import fields

from hypothesis import example, given
from hypothesis import strategies as st

from agentcp_fsm import Config, Connection, Credentials
from agentcp_fsm.lifecycle.config import LONGEST, SHORTEST
from agentcp_fsm.sign_in.call import Call, Timeouts
from tests.sign_in.certificates import make_identity

AGENT = "alice.agentid.pub"
IDENTITY = make_identity(AGENT)
CREDENTIALS = Credentials.from_pem(AGENT, IDENTITY.key_pem, IDENTITY.certificate_pem)
TIMES = [item.name for item in fields(Config) if item.metadata.get("unit") == "seconds"]
PAIRS = [
    ("interval_min", "interval_max"),
    ("send_retry_initial", "send_retry_max"),
    ("backoff_initial", "backoff_max"),
    ("sign_in_interval_min", "backoff_max"),
]
seconds = st.sampled_from([SHORTEST, 3601.0, LONGEST]) | st.floats(SHORTEST, LONGEST) | st.integers(1, int(LONGEST))


@st.composite
def any_config(draw: st.DrawFn) -> Config:
    times = {name: draw(seconds) for name in TIMES}
    for low, high in PAIRS:
        times[high] = max(times[low], times[high])
    return Config(**times)  # type: ignore[arg-type] # the counts have their defaults


@given(config=any_config())
@example(config=Config(sign_in_timeout=4000.0))  # no client took it, so that the start failed
def test_any_configuration_makes_a_connection(config: Config) -> None:
    connection = Connection(AGENT, "https://heartbeat.example", credentials=CREDENTIALS, config=config)
    assert connection.config == config


@given(total=st.floats(60.0, LONGEST), wait=seconds)
def test_the_system_takes_every_wait_of_a_call(total: float, wait: float) -> None:
    """Sockets count milliseconds in 31 bits: a longer wait raised OverflowError."""
    patience = Call.begin(Timeouts(read=wait, total=total)).patience(wait)
    assert 0 < patience <= wait
    assert patience * 1000 < 2**31
