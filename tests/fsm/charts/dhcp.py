"""DHCP client, RFC 2131 figure 5."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Row

ALL = ("INIT-REBOOT", "INIT", "SELECTING", "REQUESTING", "REBOOTING", "BOUND", "RENEWING", "REBINDING")


def but(*n: str) -> tuple[str, ...]:
    return tuple(x for x in ALL if x not in n)


DHCP = Chart(
    "DHCP client",
    "INIT",
    tuple(ChartState(n) for n in ALL),
    (
        Row("start", "INIT", "INIT-REBOOT", conditions="has_old_lease"),
        Row("start", "INIT", "SELECTING", after="send_discover"),
        Row("start", "INIT-REBOOT", "REBOOTING", after="send_request"),
        Row("start", but("INIT", "INIT-REBOOT"), None, ignored=True),
        Row("DHCPOFFER", "SELECTING", None, after="collect_reply"),
        Row("DHCPOFFER", but("SELECTING"), None, ignored=True, reason="Discard offer."),
        Row("select_offer", "SELECTING", "REQUESTING", after="send_request"),
        Row("select_offer", but("SELECTING"), None, ignored=True),
        Row("DHCPACK", "REQUESTING", "INIT", unless="offer_acceptable", after="send_decline"),
        Row("DHCPACK", ("REQUESTING", "REBOOTING"), "BOUND", after=("record_lease", "set_timers")),
        Row("DHCPACK", ("RENEWING", "REBINDING"), "BOUND", after=("record_lease", "set_timers")),
        Row("DHCPACK", ("INIT-REBOOT", "INIT", "SELECTING", "BOUND"), None, ignored=True),
        Row("DHCPNAK", ("REQUESTING", "REBOOTING"), "INIT"),
        Row("DHCPNAK", ("RENEWING", "REBINDING"), "INIT", after="halt_network"),
        Row("DHCPNAK", ("INIT-REBOOT", "INIT", "SELECTING", "BOUND"), None, ignored=True),
        Row("T1 expires", "BOUND", "RENEWING", after="send_request_to_leasing_server"),
        Row("T1 expires", but("BOUND"), None, ignored=True),
        Row("T2 expires", "RENEWING", "REBINDING", after="broadcast_request"),
        Row("T2 expires", but("RENEWING"), None, ignored=True),
        Row("lease expired", ("RENEWING", "REBINDING"), "INIT", after="halt_network"),
        Row("lease expired", but("RENEWING", "REBINDING"), None, ignored=True),
    ),
)
