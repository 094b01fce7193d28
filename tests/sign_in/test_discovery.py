"""Asking the access point for the heartbeat server, over real HTTP: what is found, and which step is blamed."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcp_fsm.errors import ConfigError, DiscoveryError, DiscoveryStep, FailureKind, SignInError
from agentcp_fsm.server import ConfigShape, ServerThread, SignInFault
from agentcp_fsm.sign_in import (
    Abandonment,
    AccessPointClient,
    AccessPointConfig,
    Credentials,
    Timeouts,
    access_point_url,
)
from agentcp_fsm.sign_in.answers import Fields
from agentcp_fsm.sign_in.discovery import is_here
from tests.sign_in.certificates import make_identity
from tests.sign_in.servers import Request, Server, SignInService, as_json

ALICE = "alice.agentid.pub"
_IDENTITY = make_identity(ALICE)
CREDENTIALS = Credentials.from_pem(ALICE, _IDENTITY.key_pem, _IDENTITY.certificate_pem)
API = "/api/accesspoint"


@pytest.fixture
def server(shared: ServerThread) -> Iterator[ServerThread]:
    yield shared
    shared.clear_faults()


def found(url: str, **options: Any) -> AccessPointConfig:
    with AccessPointClient(access_point_url(ALICE, url), **options) as client:
        return client.config(CREDENTIALS)


def failure(url: str, step: DiscoveryStep, **options: Any) -> DiscoveryError:
    """The error, which blames this step and says what to try."""
    with pytest.raises(DiscoveryError) as raised:
        found(url, **options)
    error = raised.value
    assert error.step is step, error
    assert ALICE in str(error)
    assert f"(failed step: {step}): " in str(error)
    assert str(error).endswith("; or give the access point (--access-point) or the server's URL (--server) yourself")
    assert "\n" not in str(error)
    return error


@pytest.mark.parametrize("url", ["http://acp3.agentid.pub", "ftp://acp3.agentid.pub", "https://user@acp3.agentid.pub"])
def test_only_https_that_names_nobody_else_will_do(url: str) -> None:
    with pytest.raises(ConfigError):
        AccessPointClient(access_point_url(ALICE, url))


# What is found --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [ConfigShape.OBJECT, ConfigShape.TEXT])
def test_the_config_is_an_object_or_its_text(server: ServerThread, shape: ConfigShape) -> None:
    server.set_faults(config=shape)
    before = server.statistics()
    assert found(server.url) == AccessPointConfig(server.url, server.url)
    counted = server.statistics()
    assert counted.configs == before.configs + 1
    assert counted.access_point_sign_ins == before.access_point_sign_ins + 1
    assert counted.access_point_sign_outs == counted.access_point_sign_ins, "what was signed in to is left"
    assert counted.sign_ins == before.sign_ins, "the heartbeat server was not troubled"


def test_it_works_over_ipv6() -> None:
    with ServerThread("::1") as server:
        assert found(server.url).heartbeat_server == server.url
        assert server.url.startswith("http://[::1]:")


@pytest.mark.parametrize(
    "url", ["https://heartbeat.example", "https://heartbeat.example:8443/api/heartbeat", "https://[2001:db8::1]"]
)
def test_a_server_elsewhere_is_named(server: ServerThread, url: str) -> None:
    server.set_faults(heartbeat_server=url + "/")
    assert found(server.url).heartbeat_server == url


def test_a_session_of_the_access_point_is_none_of_the_server(server: ServerThread) -> None:
    """Nor is a nonce: each is good where it is from."""
    import requests

    def post(path: str, **content: str) -> requests.Response:
        return requests.post(server.url + path, json={"agent_id": ALICE, **content}, timeout=10)

    step2 = {
        "request_id": "1",
        "public_key": CREDENTIALS.public_key_pem,
        "cert": CREDENTIALS.certificate_pem,
    }
    nonce = post(API + "/sign_in", request_id="1").json()["nonce"]
    signature = CREDENTIALS.sign(nonce.encode()).hex()
    assert post("/sign_in", nonce=nonce, signature=signature, **step2).status_code == 401
    nonce = post(API + "/sign_in", request_id="1").json()["nonce"]
    signature = CREDENTIALS.sign(nonce.encode()).hex()
    answer = post(API + "/sign_in", nonce=nonce, signature=signature, **step2).json()
    assert list(answer) == ["signature"], "an access point has no address for heartbeats"
    token = answer["signature"]
    assert post("/query_online_state", signature=token).status_code == 401
    assert post("/sign_out", signature=token).status_code == 401
    assert post(API + "/get_accesspoint_config", signature=token).status_code == 200
    assert post(API + "/sign_out", signature=token).status_code == 200
    assert post(API + "/get_accesspoint_config", signature=token).status_code == 401


# Which step failed ----------------------------------------------------------------------------------------------------


def test_a_name_that_nobody_has() -> None:
    error = failure("https://acp3.nobody.invalid", DiscoveryStep.NAME_RESOLUTION)
    assert error.kind is FailureKind.NETWORK
    assert "name servers" in str(error)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"http://127.0.0.1:{port}", DiscoveryStep.CONNECTION)
    assert "sign_in: Connection refused: check the network, its firewalls and its proxy; or give" in str(error)
    assert "refused" in str(error)
    assert not error.permanent


def test_a_server_that_speaks_no_tls(server: ServerThread) -> None:
    failure(server.url.replace("http:", "https:"), DiscoveryStep.TLS)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """What a server needs that nobody vouches for, and the file to trust it by."""
    identity = make_identity("localhost", authority=True)
    file = tmp_path / "server.pem"
    file.write_text(identity.key_pem + identity.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, str(file)


def config_of(config: object, **service: Any) -> Server:
    """An access point whose answer for the config is `config`."""
    signed_in = SignInService(session={"signature": "the token"}, **service)

    def respond(request: Request, connection: socket.socket) -> bytes | None:
        if request.path == API + "/get_accesspoint_config":
            assert request.content == {"agent_id": ALICE, "signature": "the token"}
            return as_json(config)
        return signed_in(request, connection)

    return Server(respond)


def test_a_certificate_that_nobody_vouches_for(tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca_file = tls
    server = config_of({"config": {"heartbeat_server": "https://127.0.0.1:1"}})
    server._tls = context
    with server:
        error = failure(server.url, DiscoveryStep.TLS)
        assert error.kind is FailureKind.UNPROVEN_SERVER
        assert error.permanent
        assert found(server.url, verify=ca_file) == AccessPointConfig("https://127.0.0.1:1", None)


SIGN_IN_FAULTS: list[tuple[dict[str, Any], FailureKind]] = [
    ({"access_point": SignInFault.STATUS, "status": 403}, FailureKind.REJECTED),
    ({"access_point": SignInFault.STATUS, "status": 503, "retry_after": "7"}, FailureKind.HTTP_STATUS),
    ({"access_point": SignInFault.NOT_JSON}, FailureKind.NOT_JSON),
    ({"access_point": SignInFault.REDIRECT}, FailureKind.REDIRECTED),
    ({"access_point": SignInFault.DOWN}, FailureKind.NETWORK),
    ({"access_point": SignInFault.HUGE}, FailureKind.TOO_LARGE),
    ({"access_point": SignInFault.MISSING_FIELD, "field": "nonce"}, FailureKind.MISSING_FIELD),
    ({"access_point": SignInFault.MISSING_FIELD, "field": "signature"}, FailureKind.MISSING_FIELD),
]


@pytest.mark.parametrize(("faults", "kind"), SIGN_IN_FAULTS, ids=lambda value: str(value))
def test_a_sign_in_that_fails(server: ServerThread, faults: dict[str, Any], kind: FailureKind) -> None:
    server.set_faults(**faults)
    error = failure(server.url, DiscoveryStep.SIGN_IN)
    assert error.kind is kind
    assert error.permanent == (faults.get("status") == 403)
    assert error.retry_after == (7.0 if "retry_after" in faults else None)


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ({"config_call": SignInFault.STATUS, "status": 404}, FailureKind.REJECTED),
        ({"config_call": SignInFault.STATUS, "status": 500}, FailureKind.HTTP_STATUS),
        ({"config_call": SignInFault.TRUNCATED}, FailureKind.NOT_JSON),
        ({"config_call": SignInFault.DOWN}, FailureKind.NETWORK),
    ],
    ids=lambda value: str(value),
)
def test_a_config_that_is_refused(server: ServerThread, faults: dict[str, Any], kind: FailureKind) -> None:
    server.set_faults(**faults)
    signed_out = server.statistics().access_point_sign_outs
    assert failure(server.url, DiscoveryStep.CONFIG_CALL).kind is kind
    assert server.statistics().access_point_sign_outs == signed_out + 1


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"config": ConfigShape.ABSENT}, "no field 'config'"),
        ({"config": ConfigShape.BROKEN}, "'config' is no JSON object"),
        ({"heartbeat_server": "nonsense"}, "nonsense"),
        ({"heartbeat_server": "ftp://heartbeat.example"}, "is not https"),
        ({"heartbeat_server": "https://mallory@heartbeat.example"}, "has a user"),
        ({"heartbeat_server": "https://" + "x" * 64}, "no URL whose host can be"),
        ({"heartbeat_server": "nonsense" * 600}, "..."),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_config_of_no_use(server: ServerThread, faults: dict[str, Any], says: str) -> None:
    server.set_faults(**faults)
    error = failure(server.url, DiscoveryStep.CONFIG_CONTENT)
    assert says in str(error)
    assert len(str(error)) < 1000, "however long what it quotes"


def test_plain_http_can_be_allowed(server: ServerThread) -> None:
    server.set_faults(heartbeat_server="http://heartbeat.example")
    assert found(server.url, allow_insecure_http=True).heartbeat_server == "http://heartbeat.example"


@pytest.mark.parametrize("url", ["http://127.0.0.1:5432", "https://localhost", "https://[::1]:1", "http://127.9.9.9"])
def test_nobody_elsewhere_may_name_this_machine(url: str) -> None:
    """An agent's signature is not carried to a service of its own machine on a stranger's word."""
    config = Fields("https://acp3.agentid.pub", {"heartbeat_server": url})
    elsewhere = AccessPointClient(access_point_url(ALICE))
    with pytest.raises(SignInError, match="no other may name"):
        elsewhere._checked(config)
    assert AccessPointClient(access_point_url(ALICE), allow_insecure_http=True)._checked(config).heartbeat_server == url


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
URLS = st.from_regex(r"https?://[a-z0-9.\[\]:@/?#%-]{0,20}", fullmatch=True) | st.text(max_size=30)
CONFIGS = JSON | st.fixed_dictionaries(
    {}, optional={"heartbeat_server": JSON | URLS, "message_server": JSON, "error": JSON}
)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_whatever_the_config_it_is_used_or_blamed(data: st.DataObject) -> None:
    import json

    config = data.draw(CONFIGS | CONFIGS.map(json.dumps))
    answer = data.draw(st.just({"config": config}) | JSON)
    with config_of(answer) as server:
        try:
            known = found(server.url)
        except DiscoveryError as raised:
            error = raised
        else:
            assert known.heartbeat_server.startswith(("https://", "http://127.", "http://localhost", "http://[::1]"))
            AccessPointClient(known.heartbeat_server)  # raises for a URL that cannot work
            return
    assert error.step in (DiscoveryStep.CONFIG_CALL, DiscoveryStep.CONFIG_CONTENT)
    assert str(error).isprintable()


# How long it takes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["access_point", "config_call"])
def test_all_of_it_is_bounded(server: ServerThread, fault: str) -> None:
    server.set_faults(**{fault: SignInFault.SLOW}, slow_seconds=60.0)
    began = time.monotonic()
    error = failure(
        server.url,
        DiscoveryStep.SIGN_IN if fault == "access_point" else DiscoveryStep.CONFIG_CALL,
        timeouts=Timeouts(total=0.4),
    )
    assert error.kind is FailureKind.TIMEOUT
    assert time.monotonic() - began < 10, "a minute, if every byte were waited for"


@pytest.mark.parametrize("fault", ["access_point", "config_call"])
def test_it_ends_when_nobody_waits_any_more(server: ServerThread, fault: str) -> None:
    server.set_faults(**{fault: SignInFault.HANG})
    abandonment = Abandonment()
    raised: list[SignInError] = []

    def ask() -> None:
        with AccessPointClient(access_point_url(ALICE, server.url)) as client, pytest.raises(SignInError) as error:
            client.config(CREDENTIALS, abandonment)
        raised.append(error.value)

    calls = server.statistics().calls
    thread = threading.Thread(target=ask)
    thread.start()
    deadline = time.monotonic() + 10
    while server.statistics().calls < calls + (1 if fault == "access_point" else 3):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    abandonment.abandon()
    thread.join(8)  # a read would wait for 10 s
    assert [error.kind for error in raised] == [FailureKind.ABANDONED]


def test_no_secret_is_told(server: ServerThread, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with config_of({"error": {"code": 500, "message": "not today"}}) as broken:
        error = failure(broken.url, DiscoveryStep.CONFIG_CONTENT)
    assert "not today" in str(error)
    assert "the token" not in str(error) + caplog.text


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost.", True),
        ("agent.localhost", True),
        ("127.1", True),
        ("2130706433", True),
        ("0.0.0.0", True),
        ("[::]", True),
        ("[::ffff:127.0.0.1]", True),
        ("heartbeat.example", False),
        ("10.0.0.1", False),
        ("[2001:db8::1]", False),
    ],
)
def test_this_machine_is_known_however_it_is_written(host: str, here: bool) -> None:
    assert is_here(f"https://{host}:8443/api") is here
