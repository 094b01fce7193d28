"""Kubernetes pod phase and container states (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle), flat."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row

ALL = (
    "Pending: unscheduled",
    "Pending: ContainerCreating",
    "Pending: ImagePullBackOff",
    "Running: not ready",
    "Running: ready",
    "CrashLoopBackOff",
    "Terminating",
    "Succeeded",
    "Failed",
    "Unknown",
)
UNS, CRE, IMG, RUN, RDY, CRASH, TERM, OK, FAILED, UNK = ALL


def but(*n: str) -> tuple[str, ...]:
    return tuple(x for x in ALL if x not in n)


POD = Chart(
    "pod",
    UNS,
    tuple(
        ChartState(
            n,
            final=n in (OK, FAILED),
            role={RDY: Role.HEALTHY, CRASH: Role.IMPAIRED, IMG: Role.IMPAIRED, TERM: Role.LEAVING}.get(n),
        )
        for n in ALL
    ),
    (
        Row("scheduled", UNS, CRE),
        Row("scheduled", but(UNS), None, ignored=True),
        Row("image pull failed", CRE, IMG),
        Row("image pull failed", but(CRE), None, ignored=True),
        Row("image pulled", (CRE, IMG), CRE),
        Row("image pulled", but(CRE, IMG), None, ignored=True),
        Row("containers started", (CRE, CRASH), RUN),
        Row("containers started", but(CRE, CRASH), None, ignored=True),
        Row("readiness probe ok", RUN, RDY),
        Row("readiness probe ok", but(RUN), None, ignored=True),
        Row("readiness probe failed", RDY, RUN),
        Row("readiness probe failed", but(RDY), None, ignored=True),
        Row("liveness probe failed", (RUN, RDY), CRASH, unless="restart_policy_never", after="kill_container"),
        Row("liveness probe failed", (RUN, RDY), FAILED, after="kill_container"),
        Row("liveness probe failed", but(RUN, RDY), None, ignored=True),
        Row("container exited 0", (RUN, RDY), CRASH, conditions="restart_policy_always"),
        Row("container exited 0", (RUN, RDY), OK),
        Row("container exited 0", but(RUN, RDY, TERM), None, ignored=True),
        Row("container exited 0", TERM, OK),
        Row("container exited ≠0", (RUN, RDY), FAILED, conditions="restart_policy_never"),
        Row("container exited ≠0", (RUN, RDY), CRASH),
        Row("container exited ≠0", TERM, FAILED),
        Row("container exited ≠0", but(RUN, RDY, TERM), None, ignored=True),
        Row("delete", but(TERM, OK, FAILED), TERM, after="send_sigterm"),
        Row("delete", (TERM, OK, FAILED), None, ignored=True),
        Row("grace period over", TERM, FAILED, after="send_sigkill"),
        Row("grace period over", but(TERM), None, ignored=True),
        Row("node lost", but(OK, FAILED, UNK), UNK),
        Row("node lost", (OK, FAILED, UNK), None, ignored=True),
        Row("node back", UNK, RUN),
        Row("node back", but(UNK), None, ignored=True),
        Row("evicted", but(OK, FAILED), FAILED),
        Row("evicted", (OK, FAILED), None, ignored=True),
    ),
)
