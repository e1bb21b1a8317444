"""The dashboard for those who run Envoys with the gate: what is paid and refused, how long it takes, and whether the ledger answers."""

from grafana_foundation_sdk.builders import dashboard

from panels import board, choice, graph, number, per_second, quantiles

GATE = 'job=~"$gate", instance=~"$instance"'
LEDGER = 'job=~"$ledger"'
LISTENER = GATE + ', envoy_http_conn_manager_prefix=~"$listener"'
API = GATE + ', envoy_cluster_name!~"$ledger_cluster"'
EXCHANGES = GATE + ', envoy_cluster_name=~"$ledger_cluster"'


def paid(name):
    return per_second(f"faregate_{name}_total", GATE)


def by_instance(name):
    return (f"sum by (instance) ({paid(name)})", "{{instance}}")


def line(name, legend):
    return (f"sum({paid(name)})", legend)


UNAVAILABLE = per_second("faregate_refused_total", GATE + ', code="ledger_unavailable"')

NOW = [
    number("Paid", "Requests that were charged.", "reqps", f"sum({paid('admitted')})"),
    number("Refused", "Requests that the gate answered itself, for any reason.", "reqps", f"sum({paid('refused')})"),
    number(
        "Refused without a ledger",
        "Requests that got 503 because the ledger didn't answer.",
        "reqps",
        f"sum({UNAVAILABLE})",
        bad_above=0.001,
    ),
    number(
        "Exchanges that failed",
        "The share of the messages to the ledger that got no valid answer.",
        "percentunit",
        f"sum({paid('exchange_failures')}) / (sum({paid('exchanges')}) > 0)",
        bad_above=0.01,
    ),
    number(
        "Credits at risk",
        "The most that you would lose if every Envoy ended now.",
        "short",
        f"max(faregate_at_risk_credits{{{LEDGER}}})",
    ),
    number(
        "Crashes in the last hour",
        "How often the filter crashed, and Envoy loaded it again.",
        "short",
        f"sum(increase(envoy_wasm_faregate_vm_reload{{{GATE}}}[1h]))",
        bad_above=0.001,
    ),
]

REQUESTS = [
    graph("Paid requests", "By Envoy.", "reqps", by_instance("admitted")),
    graph(
        "Refused requests",
        "By code; `faregate explain CODE` says what one means.",
        "reqps",
        (f"sum by (code) ({paid('refused')})", "{{code}}"),
        stacked=True,
    ),
    graph(
        "Share that is refused",
        "Of all requests that cost something.",
        "percentunit",
        (f"sum({paid('refused')}) / (sum({paid('refused')}) + sum({paid('admitted')}) > 0)", "refused"),
    ),
    graph(
        "Requests that waited for the ledger",
        "Those of a steady caller never do. Many of them mean small leases, or an empty account that is tried again and again.",
        "reqps",
        by_instance("waited"),
    ),
    graph(
        "Charges that went another way",
        "Refunded; sold on credit while the ledger was unreachable; dearer than what was held; ended because nothing was left.",
        "reqps",
        line("refunds", "refunded"),
        line("on_credit", "on credit"),
        line("above_hold", "above the hold"),
        line("stopped", "ended in the middle"),
    ),
    graph(
        "Not charged",
        "Requests that a rule in shadow would have refused, callers that were warned, that asked for their balance, and preflights.",
        "reqps",
        line("shadow_refused", "in shadow"),
        line("low_balance", "balance became low"),
        line("views", "balance shown"),
        line("preflights", "preflights"),
    ),
]

LATENCY = [
    graph(
        "A request",
        "From its first byte to the last of its answer, the API included. Refused and free requests count too.",
        "ms",
        *quantiles("envoy_http_downstream_rq_time", LISTENER),
    ),
    graph("The API alone", "What of it the API took.", "ms", *quantiles("envoy_cluster_upstream_rq_time", API)),
    graph(
        "An exchange",
        "How long the ledger takes to answer. Only requests that wait for it notice.",
        "ms",
        *quantiles("envoy_cluster_upstream_rq_time", EXCHANGES),
    ),
]

LEDGER_CALLS = [
    graph(
        "Exchanges",
        "Messages to the ledger, by Envoy: about one per second where something is sold.",
        "reqps",
        by_instance("exchanges"),
    ),
    graph("Exchanges that failed", "Messages without a valid answer, by Envoy.", "reqps", by_instance("exchange_failures")),
    graph(
        "Overload",
        "Messages that the ledger refused because it was too busy, by ledger. Gateways send them again, later.",
        "reqps",
        (f"sum by (instance) ({per_second('faregate_overloads_total', LEDGER)})", "{{instance}}"),
    ),
    graph(
        "Credits at risk",
        "Credits in open leases: the most that gateways could have sold without having reported it.",
        "short",
        (f"max(faregate_at_risk_credits{{{LEDGER}}})", "credits"),
    ),
    graph("Open leases", "One per caller and Envoy.", "short", (f"max(faregate_open_leases{{{LEDGER}}})", "leases")),
    graph(
        "Usage that was dropped",
        "Requests that are missing in the usage report. They were charged all the same.",
        "reqps",
        by_instance("usage_dropped"),
    ),
    graph(
        "Call records that were dropped",
        "Requests of which no record was kept, because the ledger was busy or away. They were charged all the same.",
        "reqps",
        by_instance("calls_dropped"),
    ),
]

VARIABLES = [
    choice("gate", "Job of the Envoys", "label_values(faregate_admitted_total, job)"),
    choice("instance", "Envoy", 'label_values(faregate_admitted_total{job=~"$gate"}, instance)'),
    choice(
        "listener",
        "stat_prefix",
        f"label_values(envoy_http_downstream_rq_time_bucket{{{GATE}}}, envoy_http_conn_manager_prefix)",
    ),
    choice("ledger", "Job of the ledgers", "label_values(faregate_at_risk_credits, job)"),
    dashboard.TextBoxVariable("ledger_cluster").label("Envoy's cluster of the ledger").default_value("ledger"),
]

DASHBOARD = board(
    "faregate-gates",
    "Faregate: gates",
    "What the gates sell and refuse, how long it takes, and whether they reach the ledger.",
    VARIABLES,
    [("Now", NOW), ("Requests", REQUESTS), ("Latency", LATENCY), ("The ledger, as the gates see it", LEDGER_CALLS)],
)
