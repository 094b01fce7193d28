"""What the former law came to, which no machine of this package obeys any longer: constants, once measured.

The former law repeated an unanswered heartbeat after a whole interval, gave a lost session up at once, started backoff
afresh with each ONLINE, and let NextBeat rise to 300 s.
"""

REPORTED: dict[str, str] = {
    "loss 5": "95 losses a day",
    "loss 10": "331 losses a day, 14 sign-ins an hour",
    "loss 30": "reachable 73.9 %, 105 sign-ins an hour",
    "loss 50": "reachable 5.7 %",
    "outage 8": "3.8 / 5.5 s",
    "outage 60": "13 / 32 s",
    "outage 300": "13 / 32 s",
    "outage 3600": "13 / 32 s",
    "forgotten 60": "13 / 32 s",
    "forgotten 300": "13 / 32 s",
    "forgotten 3600": "13 / 32 s",
    "round trip": "never online, 119 sign-ins an hour",
    "flap": "567 sign-ins an hour",
    "copies": "473 sign-ins an hour each, no error",
    "deaf": "150 an hour",
    "invitations": "connection lost",
    "silence": "90 s",
}
"""By another simulator, when the new law was asked for; its *reachable* may be the share of ONLINE alone."""

FORMER: dict[str, str] = {
    "loss 5": "79.0 losses a day, 3.3 sign-ins an hour, reachable 99.95 %",
    "loss 10": "304.2 losses a day, 13.1 sign-ins an hour, reachable 99.64 %",
    "loss 30": "1760.2 losses a day, 103.3 sign-ins an hour, reachable 90.17 %",
    "loss 50": "1529.8 losses a day, 217.3 sign-ins an hour, reachable 41.22 %",
    "outage 8": "2.6 / 5.3 s",
    "outage 60": "12.4 / 31.4 s",
    "outage 300": "11.4 / 31.2 s",
    "outage 3600": "10.7 / 24.0 s",
    "forgotten 60": "12.4 / 31.4 s",
    "forgotten 300": "11.4 / 31.2 s",
    "forgotten 3600": "10.7 / 24.0 s",
    "routeless 60": "13.6 / 28.2 s",
    "refused 60": "13.3 / 29.1 s",
    "stranded": "12.9 / 15.2 s",
    "round trip": "never online; 161 sign-ins in the first hour",
    "way 1.5": "0 losses, 1.00 heartbeats an interval",
    "way 4": "0 losses, 1.00 heartbeats an interval",
    "flap": "576 sign-ins an hour, no error",
    "copies": "489 sign-ins an hour each, no error",
    "deaf": "150 an hour",
    "invitations": "connection lost",
    "silence": "90.0 s at most",
    "binding": "23 % of invitations arrive",
    "fleet refused": "1.5 × even; no datagram until the next sign-in",
    "fleet silent": "1.5 × even; no datagram until the next sign-in",
}
"""By the rows of this package, at full size."""

FORMER_REAL: dict[str, str] = {
    "outage 8": "2.6 / 5.0 s",
    "outage 60": "6.5 / 28.8 s",
    "forgotten 60": "9.6 / 24.2 s",
    "round trip": "not online within 120 s, 9 sign-ins",
    "silence": "84.1 s at most",
}
"""By the same on real sockets."""
