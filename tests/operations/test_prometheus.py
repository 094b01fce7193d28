"""The alert rules, the dashboard, and a scrape by a real Prometheus."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.connection.peer import PATIENT, Peer, connect
from tests.needs import needs_program
from tests.waiting import online, until

pytest.importorskip("prometheus_client", reason="prometheus-client, of the extra 'metrics', is not installed")

from agentcp_fsm.operations.measures import FAMILIES, HISTOGRAMS
from agentcp_fsm.operations.metrics import Metrics
from agentcp_fsm.operations.status_thread import StatusThread

FOLDER = Path(__file__).parents[2] / "docs" / "deployment"
RULES, DASHBOARD = FOLDER / "alert-rules.yml", FOLDER / "grafana-dashboard.json"
NAMES = {name + ("_total" if kind == "counter" else "") for name, (kind, _, _) in FAMILIES.items()} | {
    f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")
}


def test_the_rules_are_sound() -> None:
    promtool = needs_program("promtool", "prometheus")
    checked = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "6 rules found" in checked.stdout


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_what_they_ask_for_is_measured(file: Path) -> None:
    asked = set(re.findall(r"\bagentcp_\w+", file.read_text(encoding="utf-8")))
    assert len(asked) > 5
    assert asked <= NAMES


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(port: int, path: str, **query: str) -> Any:
    url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except (OSError, ValueError):  # it is not up yet
        return None


@pytest.mark.slow
@pytest.mark.usefixtures("no_proxy_in_the_environment")
def test_prometheus_scrapes_an_outage(tmp_path: Path) -> None:
    prometheus = needs_program("prometheus", "prometheus")
    metrics, port = Metrics(), free_port()
    with Peer() as peer, connect(peer, config=PATIENT) as connection:
        metrics.add(connection)
        with StatusThread("127.0.0.1:0", [connection], metrics=metrics.exposition) as place:
            config = tmp_path / "prometheus.yml"
            config.write_text(
                f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}']\n"
                f"scrape_configs: [{{job_name: agents, static_configs: [{{targets: ['{place.address}']}}]}}]\n"
            )
            options = (f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}")
            process = subprocess.Popen(
                [prometheus, *options, f"--web.listen-address=127.0.0.1:{port}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:

                def value(expression: str) -> float | None:
                    found = asked(port, "/api/v1/query", query=expression)
                    return float(found["result"][0]["value"][1]) if found and found["result"] else None

                online(connection)
                until(lambda: value("agentcp_reachable_agents") == 1, 60)
                peer.next_beat = 401
                until(lambda: connection.health().statistics.losses >= 1)
                peer.next_beat = 50
                online(connection)
                connection.stop()
                health = connection.health()
                until(lambda: value("agentcp_agents{state='OFFLINE'}") == 1, 60)
                counted = health.statistics
                assert value("agentcp_losses_total") == counted.losses
                assert value("agentcp_heartbeats_answered_total") == counted.answers
                assert value("sum(agentcp_sign_ins_total)") == counted.attempts
                lost = value("sum(agentcp_transitions_total{trigger='unauthorized', source=~'ONLINE|DEGRADED'})")
                assert lost == counted.losses

                def evaluated() -> bool:
                    rules = asked(port, "/api/v1/rules")["groups"][0]["rules"]
                    return {rule["health"] for rule in rules} == {"ok"}

                until(evaluated, 60)
            finally:
                process.terminate()
                process.wait(20)
