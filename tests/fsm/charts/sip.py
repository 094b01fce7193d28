"""SIP INVITE client transaction, RFC 3261 figure 5."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Row

ALL = ("Calling", "Proceeding", "Completed", "Terminated")
SIP = Chart(
    "SIP INVITE client transaction",
    "Calling",
    (
        ChartState("Calling", "The INVITE was sent."),
        ChartState("Proceeding", "A provisional response came."),
        ChartState("Completed", "A final failure came."),
        ChartState("Terminated", final=True),
    ),
    (
        Row("Timer A fires", "Calling", "=", before="reset_A", after="send_INVITE"),
        Row("Timer A fires", ("Proceeding", "Completed", "Terminated"), None, ignored=True),
        Row("Timer B fires", "Calling", "Terminated", after="inform_TU"),
        Row("Timer B fires", ("Proceeding", "Completed", "Terminated"), None, ignored=True),
        Row("1xx", ("Calling", "Proceeding"), "Proceeding", after="response_to_TU"),
        Row("1xx", ("Completed", "Terminated"), None, ignored=True),
        Row("2xx", ("Calling", "Proceeding"), "Terminated", after="response_to_TU"),
        Row("2xx", ("Completed", "Terminated"), None, ignored=True),
        Row("300-699", ("Calling", "Proceeding"), "Completed", after=("send_ACK", "response_to_TU", "set_timer_D")),
        Row("300-699", "Completed", None, after="send_ACK"),
        Row("300-699", "Terminated", None, ignored=True),
        Row("Transport Err.", ("Calling", "Completed"), "Terminated", after="inform_TU"),
        Row("Transport Err.", ("Proceeding", "Terminated"), None, ignored=True),
        Row("Timer D fires", "Completed", "Terminated"),
        Row("Timer D fires", ("Calling", "Proceeding", "Terminated"), None, ignored=True),
    ),
)
