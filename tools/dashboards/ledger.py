"""The dashboard for those who run the ledger: whether it works and keeps up, and what it books."""

from grafana_foundation_sdk.models.common import BigValueTextMode

from panels import board, choice, graph, number, per_second, quantiles

LEDGER = 'job=~"$ledger", instance=~"$instance"'


def gauge(name):
    return f"faregate_{name}{{{LEDGER}}}"


def rate(name):
    return per_second(f"faregate_{name}", LEDGER)


def by(label, name):
    return (f"sum by ({label}) ({rate(name)})", f"{{{{{label}}}}}")


NOW = [
    number(
        "Ready",
        "1 if a write to the database works on every ledger.",
        "short",
        f"min({gauge('ready')})",
        bad_below=1,
    ),
    number("Exchanges", "Messages from gateways that were answered.", "reqps", f"sum({rate('exchanges_total')})"),
    number(
        "Overload",
        "Messages that were refused because the writer was too busy.",
        "reqps",
        f"sum({rate('overloads_total')})",
        bad_above=0.001,
    ),
    number(
        "Credits at risk", "The most that you would lose if every Envoy ended now.", "short", f"max({gauge('at_risk_credits')})"
    ),
    number(
        "The certificate expires in",
        "The first certificate of a listener to expire. No data without TLS.",
        "s",
        f"min({gauge('certificate_expiry_timestamp_seconds')}) - time()",
        bad_below=7 * 24 * 3600,
    ),
    number(
        "Builds",
        "Which versions run, and how many ledgers of each.",
        "short",
        f"count by (version) ({gauge('build_info')})",
        legend="{{version}}",
        text=BigValueTextMode.VALUE_AND_NAME,
    ),
]

EXCHANGES = [
    graph("Exchanges", "Messages from gateways that were answered, by ledger.", "reqps", by("instance", "exchanges_total")),
    graph("Payers in them", "Entries in these messages, one per payer.", "short", by("instance", "exchange_entries_total")),
    graph("Overload", "Messages that were refused because the writer was too busy.", "reqps", by("instance", "overloads_total")),
    graph(
        "Refusals",
        "Entries that were answered with a refusal, by code. A gate remembers one for a second, so it refuses more requests than this.",
        "short",
        by("code", "refusals_total"),
        stacked=True,
    ),
    graph(
        "Refusals in shadow",
        "Requests that passed only because their rule has `shadow`, by code.",
        "reqps",
        by("code", "shadow_refusals_total"),
        stacked=True,
    ),
    graph("Reclaimed leases", "Leases of gateways that were silent for too long.", "short", by("instance", "reclaims_total")),
]

DATABASE = [
    graph(
        "A transaction",
        "How long it takes, from its first statement to the end of the commit.",
        "s",
        *quantiles("faregate_commit_duration_seconds", LEDGER),
    ),
    graph("Transactions", "Per second, by ledger.", "ops", by("instance", "commits_total")),
    graph(
        "Operations per transaction",
        "It grows with the load: that is how the ledger keeps up.",
        "short",
        (
            f"sum by (instance) ({rate('commit_batch_size_sum')}) / sum by (instance) ({rate('commit_batch_size_count')})",
            "{{instance}}",
        ),
    ),
    graph(
        "Waiting operations",
        "They wait for a transaction.",
        "short",
        (f"max by (instance) ({gauge('queued_operations')})", "{{instance}}"),
    ),
    graph(
        "Retried transactions",
        "On PostgreSQL, after a deadlock or a serialization failure.",
        "ops",
        by("instance", "transaction_retries_total"),
    ),
    graph(
        "Size",
        "What the database takes on its disk.",
        "bytes",
        (f"max by (instance) ({gauge('database_size_bytes')})", "{{instance}}"),
    ),
]

CREDITS = [
    graph(
        "Credits at risk",
        "Credits in open leases: the most that gateways could have sold without having reported it.",
        "short",
        (f"max({gauge('at_risk_credits')})", "credits"),
    ),
    graph("Open leases", "One per caller and gateway.", "short", (f"max({gauge('open_leases')})", "leases")),
    graph(
        "Granted credits",
        "Per hour: what operators gave.",
        "short",
        (f"3600 * sum({rate('granted_credits_total')})", "credits"),
    ),
    graph(
        "Grants",
        "Per hour: by operators, and by plans whose next period has begun.",
        "short",
        (f"3600 * sum({rate('grants_total')})", "by operators"),
        (f"3600 * sum({rate('renewals_total')})", "by plans"),
    ),
    graph(
        "Not booked",
        "Entries that report more than can be true, or can't be booked, and usage about unknown keys. All of them should be zero.",
        "short",
        (f"sum({rate('unbooked_entries_total')})", "entries"),
        (f"sum({rate('unknown_usage_lines_total')})", "usage lines"),
    ),
    graph(
        "Credits that were not charged",
        "Per hour: what gateways reported beyond the ceiling.",
        "short",
        (f"3600 * sum({rate('unbooked_credits_total')})", "credits"),
    ),
]

MESSAGES = [
    graph(
        "Webhooks",
        "Attempts to deliver an event, by result.",
        "ops",
        by("result", "webhook_deliveries_total"),
        stacked=True,
    ),
    graph("Mail", "Attempts to send an event by mail, by result.", "ops", by("result", "mails_total"), stacked=True),
    graph(
        "Waiting messages",
        "Events that wait to be delivered or sent.",
        "short",
        (f"max({gauge('waiting_webhook_deliveries')})", "webhooks"),
        (f"max({gauge('waiting_mails')})", "mail"),
    ),
]

ACCESS = [
    graph("Connections", "Open ones, by listener.", "short", (f"sum by (listener) ({gauge('connections')})", "{{listener}}")),
    graph(
        "Closed connections",
        "Those that the ledger closed, by listener and reason.",
        "ops",
        (f"sum by (listener, reason) ({rate('connections_closed_total')})", "{{listener}} {{reason}}"),
    ),
    graph(
        "Refused tokens",
        "By listener and reason; the log has the address.",
        "reqps",
        (f"sum by (listener, reason) ({rate('auth_failures_total')})", "{{listener}} {{reason}}"),
        stacked=True,
    ),
]

RECORDS = [
    graph(
        "Call records",
        "Those that were stored, and those for which gateways or ledgers had no room.",
        "short",
        (f"sum({rate('call_records_total')})", "stored"),
        (f"sum by (at) ({rate('lost_call_records_total')})", "lost at the {{at}}"),
    ),
    graph(
        "Exported records",
        "What became of those for a collector. All but those that were sent should be zero.",
        "short",
        by("result", "otlp_records_total"),
    ),
    graph(
        "Records that wait for the collector",
        "At 50,000 more are dropped.",
        "short",
        (f"max by (instance) ({gauge('otlp_waiting_records')})", "{{instance}}"),
    ),
]

VARIABLES = [
    choice("ledger", "Job of the ledgers", "label_values(faregate_at_risk_credits, job)"),
    choice("instance", "Ledger", 'label_values(faregate_at_risk_credits{job=~"$ledger"}, instance)'),
]

DASHBOARD = board(
    "faregate-ledger",
    "Faregate: ledger",
    "Whether the ledger works and keeps up, and what it books.",
    VARIABLES,
    [
        ("Now", NOW),
        ("Exchanges", EXCHANGES),
        ("Database", DATABASE),
        ("Credits", CREDITS),
        ("Call records", RECORDS),
        ("Webhooks and mail", MESSAGES),
        ("Access", ACCESS),
    ],
)
