"""Charts of protocols and workflows that are none of ours: each as a reader of its specification would write it."""

from agentcp_fsm.fsm.chart import Chart
from tests.fsm.charts.bgp import BGP
from tests.fsm.charts.dhcp import DHCP
from tests.fsm.charts.mqtt import MQTT
from tests.fsm.charts.order import ORDER
from tests.fsm.charts.pod import POD
from tests.fsm.charts.sip import SIP
from tests.fsm.charts.tcp import TCP
from tests.fsm.charts.tls13 import TLS

CHARTS: tuple[Chart, ...] = (BGP, DHCP, MQTT, ORDER, POD, SIP, TCP, TLS)
