"""MQTT 3.1.1 client session (network connection and session, sections 3.1, 3.12, 3.14, 4.4)."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row

ALL = ("Disconnected", "Connecting", "Connected", "Pinging", "Disconnecting")


def but(*n: str) -> tuple[str, ...]:
    return tuple(x for x in ALL if x not in n)


MQTT = Chart(
    "MQTT client",
    "Disconnected",
    (
        ChartState("Disconnected", "No network connection.", role=Role.REST),
        ChartState(
            "Connecting",
            "CONNECT was sent.",
            "a CONNACK timer",
            role=Role.WORKING,
            on_enter=("start_connack_timer",),
            on_exit=("stop_connack_timer",),
        ),
        ChartState(
            "Connected",
            "The session lives.",
            "a keep-alive timer",
            role=Role.HEALTHY,
            on_enter=("start_keep_alive",),
            on_exit=("stop_keep_alive",),
        ),
        ChartState(
            "Pinging",
            "PINGREQ was sent.",
            "a PINGRESP timer",
            role=Role.WAITING,
            on_enter=("send_pingreq", "start_pingresp_timer"),
        ),
        ChartState("Disconnecting", "DISCONNECT was sent.", role=Role.LEAVING),
    ),
    (
        Row("connect", "Disconnected", "Connecting", before="open_socket", after="send_connect"),
        Row("connect", but("Disconnected"), None, ignored=True),
        Row("connack", "Connecting", "Connected", conditions=("accepted", "session_present"), after="resend_inflight"),
        Row("connack", "Connecting", "Connected", conditions="accepted", after="clear_session"),
        Row("connack", "Connecting", "Disconnected", after="close_socket"),
        Row("connack", ("Connected", "Pinging"), "Disconnected", after="close_socket", reason="Protocol violation."),
        Row("connack", ("Disconnected", "Disconnecting"), None, ignored=True),
        Row("publish", ("Connected", "Pinging"), None, after="send_publish"),
        Row("publish", ("Disconnected", "Connecting"), None, after="queue_publish"),
        Row("publish", "Disconnecting", None, after="refuse"),
        Row("packet", "Connected", "=", after="deliver", reason="Keep-alive starts anew."),
        Row("packet", "Pinging", None, after="deliver"),
        Row("packet", "Connecting", "Disconnected", after="close_socket"),
        Row("packet", ("Disconnected", "Disconnecting"), None, ignored=True),
        Row("pingresp", "Pinging", "Connected"),
        Row("pingresp", but("Pinging"), None, ignored=True),
        Row("timer", "Connecting", "Disconnected", after="close_socket"),
        Row("timer", "Connected", "Pinging"),
        Row("timer", ("Pinging", "Disconnecting"), "Disconnected", after="close_socket"),
        Row("timer", "Disconnected", None, ignored=True),
        Row("disconnect", ("Connected", "Pinging"), "Disconnecting", after="send_disconnect"),
        Row("disconnect", "Connecting", "Disconnected", after="close_socket"),
        Row("disconnect", ("Disconnected", "Disconnecting"), None, ignored=True),
        Row("socket_closed", but("Disconnected"), "Disconnected"),
        Row("socket_closed", "Disconnected", None, ignored=True),
    ),
)
