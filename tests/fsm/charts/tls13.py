"""TLS 1.3 client, RFC 8446 appendix A.1."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Role, Row

ALL = ("START", "WAIT_SH", "WAIT_EE", "WAIT_CERT_CR", "WAIT_CERT", "WAIT_CV", "WAIT_FINISHED", "CONNECTED", "FAILED")


def but(*n: str) -> tuple[str, ...]:
    return tuple(x for x in ALL if x not in n)


R = {"START": Role.REST, "CONNECTED": Role.HEALTHY, "FAILED": Role.IMPAIRED}


def alert(trigger: str, *handled: str) -> Row:
    return Row(
        trigger,
        tuple(x for x in but("FAILED", *handled)),
        "FAILED",
        after="alert_unexpected_message",
        reason="unexpected_message.",
    )


TLS = Chart(
    "TLS 1.3 client",
    "START",
    tuple(ChartState(n, role=R.get(n, Role.WORKING), final=n == "FAILED") for n in ALL),
    (
        Row("send ClientHello", "START", "WAIT_SH"),
        Row("send ClientHello", but("START"), None, ignored=True),
        Row("recv HelloRetryRequest", "WAIT_SH", "START", unless="already_retried"),
        Row("recv HelloRetryRequest", "WAIT_SH", "FAILED", after="alert_unexpected_message"),
        alert("recv HelloRetryRequest", "WAIT_SH"),
        Row("recv HelloRetryRequest", "FAILED", None, ignored=True),
        Row("recv ServerHello", "WAIT_SH", "WAIT_EE", after="derive_handshake_keys"),
        alert("recv ServerHello", "WAIT_SH"),
        Row("recv ServerHello", "FAILED", None, ignored=True),
        Row("recv EncryptedExtensions", "WAIT_EE", "WAIT_FINISHED", conditions="using_psk"),
        Row("recv EncryptedExtensions", "WAIT_EE", "WAIT_CERT_CR"),
        alert("recv EncryptedExtensions", "WAIT_EE"),
        Row("recv EncryptedExtensions", "FAILED", None, ignored=True),
        Row("recv CertificateRequest", "WAIT_CERT_CR", "WAIT_CERT"),
        alert("recv CertificateRequest", "WAIT_CERT_CR", "CONNECTED"),
        Row(
            "recv CertificateRequest",
            "CONNECTED",
            None,
            conditions="offered_post_handshake_auth",
            after="send_certificate",
        ),
        Row("recv CertificateRequest", "CONNECTED", "FAILED", after="alert_unexpected_message"),
        Row("recv CertificateRequest", "FAILED", None, ignored=True),
        Row("recv Certificate", ("WAIT_CERT_CR", "WAIT_CERT"), "WAIT_CV"),
        alert("recv Certificate", "WAIT_CERT_CR", "WAIT_CERT"),
        Row("recv Certificate", "FAILED", None, ignored=True),
        Row("recv CertificateVerify", "WAIT_CV", "WAIT_FINISHED", conditions="signature_valid"),
        Row("recv CertificateVerify", "WAIT_CV", "FAILED", after="alert_decrypt_error"),
        alert("recv CertificateVerify", "WAIT_CV"),
        Row("recv CertificateVerify", "FAILED", None, ignored=True),
        Row(
            "recv Finished",
            "WAIT_FINISHED",
            "CONNECTED",
            conditions="mac_valid",
            after=("send_end_of_early_data", "send_certificate", "send_finished"),
        ),
        Row("recv Finished", "WAIT_FINISHED", "FAILED", after="alert_decrypt_error"),
        alert("recv Finished", "WAIT_FINISHED"),
        Row("recv Finished", "FAILED", None, ignored=True),
    ),
)
