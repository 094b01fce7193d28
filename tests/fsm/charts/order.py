"""An order workflow of a web shop, with a glossary (German words in reasons)."""

from agentcp_fsm.fsm.chart import Chart, ChartState, Row

CART, PLACED, PAID, PACKED, SHIPPED, DELIVERED, RETURNED, REFUNDED, CANCELLED = ALL = (
    "cart",
    "placed",
    "paid",
    "packed",
    "shipped",
    "delivered",
    "return requested",
    "refunded",
    "cancelled",
)


def but(*n: str) -> tuple[str, ...]:
    return tuple(x for x in ALL if x not in n)


FINAL = (REFUNDED, CANCELLED)
ORDER = Chart(
    "order",
    CART,
    tuple(ChartState(n, final=n in FINAL) for n in ALL),
    (
        Row(
            "place",
            CART,
            PLACED,
            conditions="in_stock",
            unless="customer_blocked",
            after="reserve_stock",
            reason="Bestellung eingegangen.",
        ),
        Row("place", CART, None, after="explain"),
        Row("place", but(CART), None, ignored=True),
        Row("pay", PLACED, PAID, conditions="amount_matches", after="issue_invoice"),
        Row("pay", PLACED, None, after="refund_difference"),
        Row("pay", CANCELLED, None, after="refund_all", reason="Zahlung nach Stornierung."),
        Row("pay", but(PLACED, CANCELLED), None, ignored=True),
        Row("pack", PAID, PACKED),
        Row("pack", but(PAID), None, ignored=True),
        Row("ship", PACKED, SHIPPED, after="mail_tracking"),
        Row("ship", but(PACKED), None, ignored=True),
        Row("deliver", SHIPPED, DELIVERED),
        Row("deliver", but(SHIPPED), None, ignored=True),
        Row("request return", DELIVERED, RETURNED, conditions="within_14_days"),
        Row("request return", but(DELIVERED), None, ignored=True),
        Row("request return", DELIVERED, None, after="explain"),
        Row("goods back", RETURNED, REFUNDED, after="refund_all"),
        Row("goods back", but(RETURNED), None, ignored=True),
        Row("cancel", (CART, PLACED), CANCELLED),
        Row("cancel", (PAID, PACKED), CANCELLED, after="refund_all"),
        Row("cancel", but(CART, PLACED, PAID, PACKED), None, ignored=True),
        Row("payment timeout", PLACED, CANCELLED, after="release_stock"),
        Row("payment timeout", but(PLACED), None, ignored=True),
    ),
    guards={
        "in_stock": "every article is in stock",
        "customer_blocked": "the customer may not buy",
        "amount_matches": "the sum is right",
        "within_14_days": "delivered at most 14 days ago",
    },
    actions={
        n: n.replace("_", " ")
        for n in (
            "reserve_stock",
            "explain",
            "issue_invoice",
            "refund_difference",
            "refund_all",
            "mail_tracking",
            "release_stock",
        )
    },
)
