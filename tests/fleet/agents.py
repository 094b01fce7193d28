"""Members of fleets: agents of one key, each with a certificate of its own."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from agentcp_fsm import Config, Credentials
from agentcp_fsm.fleet import Member
from agentcp_fsm.server import ServerThread
from tests.sign_in.certificates import make_identity
from tests.timings import CALM

_KEY = ec.generate_private_key(ec.SECP256R1())


def name(number: int) -> str:
    return f"agent{number}.agentid.pub"


@cache
def credentials(agent_id: str) -> Credentials:
    identity = make_identity(agent_id, key=_KEY)
    return Credentials.from_pem(agent_id, identity.key_pem, identity.certificate_pem)


def member(server: ServerThread, number: int, config: Config = CALM) -> Member:
    agent_id = name(number)
    return Member.of(agent_id, server.url, credentials=credentials(agent_id), config=config, allow_insecure_http=True)
