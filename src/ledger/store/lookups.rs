//! How rows are found: which columns must equal something, and what must be true besides.
//!
//! What must hold: the words of a condition are those of an index in both databases.

use super::engine::Lookup;
use super::record::{Record as _, Table};
use super::rows::{
    AccountRow, AlertDefaultRow, BrokerRow, BudgetRow, CorrectionRow, DeliveryRow, EntryRow, EventRow,
    FaultsRow, GatewayRow, GrantRow, IdempotencyRow, KeyRow, KeyUseRow, LeaseRow, MailAddressRow, PlanRow,
    PortalLinkRow, PortalSessionRow, PortalSubjectRow, PriceListRow, PriceRow, RefusalRow, SessionRow,
    ShadowRow, SubscriptionRow, TeamRow, TokenRow, TrailRow, UnbookedRow, UsageItemRow, UsageQuantityRow,
    UsageRow, VersionRow, WebhookRow,
};

const fn lookup(table: &'static Table, columns: &'static str, filter: &'static str) -> Lookup {
    Lookup { table, columns, filter, lock: false }
}

/// The same, locked.
const fn locked(table: &'static Table, columns: &'static str) -> Lookup {
    Lookup { table, columns, filter: "", lock: true }
}

/// An account, locked.
pub const ACCOUNTS: Lookup = locked(AccountRow::TABLE, "no");
/// A team.
pub const TEAMS: Lookup = lookup(TeamRow::TABLE, "no", "");
/// A credential.
pub const KEYS: Lookup = lookup(KeyRow::TABLE, "no", "");
/// When a key was last used.
pub const KEY_USES: Lookup = lookup(KeyUseRow::TABLE, "key", "");
/// A budget.
pub const BUDGETS: Lookup = lookup(BudgetRow::TABLE, "account, scope, target", "");
/// A grant.
pub const GRANTS: Lookup = lookup(GrantRow::TABLE, "no", "");
/// A correction.
pub const CORRECTIONS: Lookup = lookup(CorrectionRow::TABLE, "no", "");
/// A gateway.
pub const GATEWAYS: Lookup = lookup(GatewayRow::TABLE, "no", "");
/// A plan.
pub const PLANS: Lookup = lookup(PlanRow::TABLE, "no", "");
/// A version of a plan.
pub const VERSIONS: Lookup = lookup(VersionRow::TABLE, "plan, version", "");
/// A subscription.
pub const SUBSCRIPTIONS: Lookup = lookup(SubscriptionRow::TABLE, "no", "");
/// A lease.
pub const LEASES: Lookup = lookup(LeaseRow::TABLE, "gateway, key", "");
/// What a lease reported and is not charged.
pub const UNBOOKED: Lookup = lookup(UnbookedRow::TABLE, "gateway, key", "");
/// An entry.
pub const ENTRIES: Lookup =
    lookup(EntryRow::TABLE, "account, minute, kind, key, gateway, epoch, grant_no", "");
/// A broker's last report, locked.
pub const BROKERS: Lookup = locked(BrokerRow::TABLE, "gateway, broker");
/// What was sold within a minute.
pub const USAGE: Lookup = locked(UsageRow::TABLE, "account, minute, key, rule");
/// What was refused in shadow mode within a minute.
pub const SHADOW: Lookup = lookup(ShadowRow::TABLE, "account, minute, key, rule, code", "");
/// What was refused within an hour.
pub const REFUSALS: Lookup = lookup(RefusalRow::TABLE, "account, hour, key, rule, code", "");
/// What was sold of an item within a minute.
pub const USAGE_ITEMS: Lookup = locked(UsageItemRow::TABLE, "account, minute, key, rule, item, basis");
/// How much of a class was sold within a minute.
pub const USAGE_QUANTITIES: Lookup =
    locked(UsageQuantityRow::TABLE, "account, minute, key, rule, item, class");
/// The price list as a whole, locked.
pub const PRICE_LIST: Lookup = locked(PriceListRow::TABLE, "one");
/// What a model costs from a moment on.
pub const PRICES: Lookup = lookup(PriceRow::TABLE, "model, valid_from_ms", "");
/// All prices of a model.
pub const PRICES_OF: Lookup = lookup(PriceRow::TABLE, "model", "");
/// The first answer to a request.
pub const IDEMPOTENCY: Lookup = lookup(IdempotencyRow::TABLE, "key", "");
/// A token, locked.
pub const TOKENS: Lookup = locked(TokenRow::TABLE, "no");
/// All tokens of an operator, or of a fleet of gateways.
pub const TOKENS_OF: Lookup = lookup(TokenRow::TABLE, "kind, name", "");
/// The subject of an issuer that identifies an operator.
pub const TOKENS_BY_SUBJECT: Lookup =
    lookup(TokenRow::TABLE, "issuer, subject", "subject IS NOT NULL AND revoked_ms IS NULL");
/// A session, locked.
pub const SESSIONS: Lookup = locked(SessionRow::TABLE, "hash");
/// All sessions of an operator.
pub const SESSIONS_OF: Lookup = lookup(SessionRow::TABLE, "operator", "");
/// A customer's session, locked.
pub const PORTAL_SESSIONS: Lookup = locked(PortalSessionRow::TABLE, "hash");
/// All sessions of an account's customers.
pub const PORTAL_SESSIONS_OF: Lookup = lookup(PortalSessionRow::TABLE, "account", "");
/// A link to the portal, locked.
pub const PORTAL_LINKS: Lookup = locked(PortalLinkRow::TABLE, "hash");
/// A link to the portal, to see whose it is.
pub const PORTAL_LINKS_BY_HASH: Lookup = lookup(PortalLinkRow::TABLE, "hash", "");
/// All links of an account to the portal.
pub const PORTAL_LINKS_OF: Lookup = lookup(PortalLinkRow::TABLE, "account", "");
/// The account that a subject belongs to, which locks it.
pub const PORTAL_SUBJECTS: Lookup = lookup(PortalSubjectRow::TABLE, "issuer, subject", "");
/// All subjects of an account.
pub const PORTAL_SUBJECTS_OF: Lookup = lookup(PortalSubjectRow::TABLE, "account", "");
/// What an operator did.
pub const TRAIL: Lookup = lookup(TrailRow::TABLE, "no", "");
/// What is announced of accounts that say nothing else.
pub const ALERT_DEFAULTS: Lookup = lookup(AlertDefaultRow::TABLE, "one", "");
/// An event.
pub const EVENTS: Lookup = lookup(EventRow::TABLE, "account, seq", "");
/// An endpoint, locked.
pub const WEBHOOKS: Lookup = locked(WebhookRow::TABLE, "no");
/// The endpoint with an identifier.
pub const WEBHOOKS_BY_ID: Lookup = lookup(WebhookRow::TABLE, "id", "");
/// The event with an identifier.
pub const EVENTS_BY_ID: Lookup = lookup(EventRow::TABLE, "id", "");
/// An address for mail, locked.
pub const MAIL_ADDRESSES: Lookup = locked(MailAddressRow::TABLE, "no");
/// The address for mail with an identifier.
pub const MAIL_ADDRESSES_BY_ID: Lookup = lookup(MailAddressRow::TABLE, "id", "");
/// The addresses that get mail about an account.
pub const MAIL_ADDRESSES_OF: Lookup = lookup(MailAddressRow::TABLE, "account", "state = 'active'");
/// What is wrong with the ledger, locked.
pub const LEDGER_FAULTS: Lookup = locked(FaultsRow::TABLE, "one");
/// The endpoints in a state.
pub const WEBHOOKS_IN: Lookup = lookup(WebhookRow::TABLE, "state", "");
/// An event on its way to an endpoint, locked.
pub const DELIVERIES: Lookup = locked(DeliveryRow::TABLE, "webhook, account, seq");
/// The account with an identifier.
pub const ACCOUNTS_BY_ID: Lookup = lookup(AccountRow::TABLE, "id", "");
/// The team of an account with an identifier.
pub const TEAMS_BY_ID: Lookup = lookup(TeamRow::TABLE, "account, id", "");
/// All teams of an account.
pub const TEAMS_OF: Lookup = lookup(TeamRow::TABLE, "account", "");
/// The credential with an identifier.
pub const KEYS_BY_ID: Lookup = lookup(KeyRow::TABLE, "id", "");
/// The key with a hash.
pub const KEYS_BY_HASH: Lookup = lookup(KeyRow::TABLE, "hash", "");
/// The credential of a subject that is not revoked.
pub const KEYS_BY_SUBJECT: Lookup = lookup(KeyRow::TABLE, "subject", "NOT revoked");
/// All budgets of an account.
pub const BUDGETS_OF: Lookup = lookup(BudgetRow::TABLE, "account", "");
/// The grant with an identifier.
pub const GRANTS_BY_ID: Lookup = lookup(GrantRow::TABLE, "id", "");
/// The grants of an account with something left.
pub const LIVE_GRANTS: Lookup = lookup(GrantRow::TABLE, "account", "live");
/// What a subscription gave for the running period, and later.
pub const GIVEN: Lookup = lookup(
    GrantRow::TABLE,
    "subscription",
    "expires_ms >= (SELECT s.granted_ms FROM subscriptions s WHERE s.no = subscription)",
);
/// The last overdrafts of a subscription.
pub const OVERDRAFTS: Lookup = lookup(
    GrantRow::TABLE,
    "subscription",
    "priority = 65535 AND expires_ms >= coalesce((SELECT o.expires_ms FROM grants o WHERE o.subscription = grants.subscription AND o.priority = 65535 ORDER BY o.expires_ms DESC LIMIT 1 OFFSET 19), 0)",
);
/// The gateway with a name.
pub const GATEWAYS_BY_NAME: Lookup = lookup(GatewayRow::TABLE, "name", "");
/// The plan with a name.
pub const PLANS_BY_NAME: Lookup = lookup(PlanRow::TABLE, "name", "");
/// A plan, locked.
pub const PLANS_LOCKED: Lookup = locked(PlanRow::TABLE, "no");
/// The newest subscription of an account.
pub const SUBSCRIPTIONS_OF: Lookup = lookup(
    SubscriptionRow::TABLE,
    "account",
    "no = (SELECT max(n.no) FROM subscriptions n WHERE n.account = subscriptions.account)",
);
/// A running subscription to a plan, if there is one.
pub const RUNNING: Lookup = lookup(
    SubscriptionRow::TABLE,
    "plan",
    "state NOT IN ('cancelled', 'expired') AND no = (SELECT r.no FROM subscriptions r WHERE r.plan = subscriptions.plan AND r.state NOT IN ('cancelled', 'expired') LIMIT 1)",
);
/// A subscription that changes to a plan, if there is one.
pub const COMING: Lookup = lookup(
    SubscriptionRow::TABLE,
    "next_plan",
    "next_plan IS NOT NULL AND no = (SELECT r.no FROM subscriptions r WHERE r.next_plan = subscriptions.next_plan AND r.next_plan IS NOT NULL AND r.state NOT IN ('cancelled', 'expired') LIMIT 1)",
);
/// The open leases of an account with money in them.
pub const HOLDERS: Lookup = lookup(LeaseRow::TABLE, "account", "escrow > 0 AND state = 'open'");
