"""How the sign-in fails: after the server has forgotten the session, so that one is needed, unless said otherwise."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from agentcp_fsm import Config
from tests.faults.bench import Bench, Waiting, by_server, failed
from tests.faults.case import Case
from tests.timings import CALM

QUICK = replace(CALM, sign_in_interval_min=0.05, backoff_initial=0.02, backoff_max=0.2, backoff_jitter=0.0)
"""Sign-ins follow each other at a rate that lets many cases be carried out, and as soon as the rules have them."""
BRIEF = replace(QUICK, read_timeout=0.5, sign_in_timeout=1.0)
"""The same, and what hangs is given up soon."""
HANGING = ("hang", "hang-after-headers", "slow slow_seconds 200")


def config_for(fault: str) -> Config:
    return BRIEF if fault in HANGING else QUICK


def sign_in(fault: str, failures: int) -> Waiting:
    """The sign-in fails in this way, as many times, and one is needed."""
    return by_server(f"fault sign_in {fault}", "restart", until=failed(failures))


def retry_after_a_date(bench: Bench) -> None:
    """Of whole seconds: 1 to 2 remain."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    sign_in(f'status status 429 retry_after "{at}"', 1)(bench)


TRANSIENT = {
    "sign-in refused: nobody listens": "refused",
    "sign-in hung up on": "down",
    "sign-in hangs": "hang",
    "sign-in hangs after the headers": "hang-after-headers",
    "sign-in drips a byte a second": "slow slow_seconds 200",  # an answer has about 200 bytes
    "sign-in answered 401": "status status 401",
    "sign-in answered 429": "status status 429",
    "sign-in answered 500": "status status 500",
    "sign-in answered 503": "status status 503",
    "sign-in redirected": "redirect",
    "sign-in answered with HTML": "not-json",
    "sign-in answered with half of the JSON text": "truncated",
    "sign-in answered with 100 MB": "huge",
    "sign-in answered without nonce": "missing-field field nonce",
    "sign-in answered without server_ip": "missing-field field server_ip",
    "sign-in answered without port": "missing-field field port",
    "sign-in answered without sign_cookie": "missing-field field sign_cookie",
    "sign-in answered without signature": "missing-field field signature",
    "sign-in names port 65536": "port-out-of-range port 65536",
    "sign-in names port 0": "port-out-of-range port 0",
    "sign-in names port -1": "port-out-of-range port -1",
}
"""Failures that are tried again soon, and what the server's console calls them."""

CASES = (
    *(
        Case(name=name, fault=sign_in(fault, 2), config=config_for(fault), within=3, sign_ins=None, losses=1)
        for name, fault in TRANSIENT.items()
    ),
    *(
        Case(name=f"{name}, at the first start", fault=sign_in(TRANSIENT[name], 2),
             config=config_for(TRANSIENT[name]), online=False, within=3, sign_ins=None)
        for name in ("sign-in refused: nobody listens", "sign-in hangs", "sign-in answered 500")
    ),
    *(
        Case(name=f"sign-in answered {status}, a rejection", fault=sign_in(f"status status {status}", 1), config=QUICK,
             within=3, sign_ins=None, rest=QUICK.backoff_max, losses=1)
        for status in (400, 403, 404)
    ),
    Case(name="sign-in answered 429, Retry-After: 1", fault=sign_in("status status 429 retry_after 1", 1),
         config=QUICK, within=2.5, sign_ins=None, rest=1.0, losses=1),
    Case(name="sign-in answered 429, Retry-After: a date", fault=retry_after_a_date,
         config=QUICK, within=3.5, sign_ins=None, rest=1.0, losses=1),
    Case(name="sign-in answered 503, Retry-After: 1", fault=sign_in("status status 503 retry_after 1", 1),
         config=QUICK, within=2.5, sign_ins=None, rest=1.0, losses=1),
)  # fmt: skip
