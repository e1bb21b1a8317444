//! What each route of the admin API needs: one table from route to the least scope.
//!
//! What must hold: a route that is missing here needs the widest scope, and a test names it.

use crate::domain::access::AccessScope::{self, Admin, Billing, Read, Support};
use axum::http::Method;
use std::collections::HashMap;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};

/// The least scope of each route.
pub const SCOPES: &[(&str, &str, AccessScope)] = &[
    ("GET", "/admin/v1/accounts", Read),
    ("POST", "/admin/v1/accounts", Billing),
    ("GET", "/admin/v1/accounts/{id}", Read),
    ("POST", "/admin/v1/accounts/{id}/suspend", Support),
    ("POST", "/admin/v1/accounts/{id}/resume", Support),
    ("POST", "/admin/v1/accounts/{id}/close", Billing),
    ("POST", "/admin/v1/accounts/{id}/reopen", Billing),
    ("POST", "/admin/v1/accounts/{id}/rename", Support),
    ("GET", "/admin/v1/accounts/{id}/balance", Read),
    ("GET", "/admin/v1/accounts/{id}/why", Read),
    ("GET", "/admin/v1/accounts/{id}/usage", Read),
    ("GET", "/admin/v1/accounts/{id}/keys", Read),
    ("POST", "/admin/v1/accounts/{id}/keys", Support),
    ("GET", "/admin/v1/keys", Read),
    ("GET", "/admin/v1/keys/{id}", Read),
    ("POST", "/admin/v1/keys/{id}/rotate", Support),
    ("POST", "/admin/v1/keys/{id}/revoke", Support),
    ("GET", "/admin/v1/accounts/{id}/teams", Read),
    ("POST", "/admin/v1/accounts/{id}/teams", Support),
    ("GET", "/admin/v1/accounts/{id}/budgets", Read),
    ("POST", "/admin/v1/accounts/{id}/budgets", Support),
    ("POST", "/admin/v1/accounts/{id}/budgets/clear", Support),
    ("GET", "/admin/v1/accounts/{id}/grants", Read),
    ("POST", "/admin/v1/accounts/{id}/grants", Billing),
    ("GET", "/admin/v1/grants/{id}", Read),
    ("POST", "/admin/v1/grants/{id}/change", Billing),
    ("POST", "/admin/v1/grants/{id}/void", Billing),
    ("POST", "/admin/v1/accounts/{id}/adjust", Billing),
    ("GET", "/admin/v1/accounts/{id}/corrections", Read),
    ("GET", "/admin/v1/plans", Read),
    ("POST", "/admin/v1/plans", Admin),
    ("GET", "/admin/v1/plans/{id}", Read),
    ("POST", "/admin/v1/plans/{id}/change", Admin),
    ("POST", "/admin/v1/plans/{id}/archive", Admin),
    ("POST", "/admin/v1/plans/{id}/unarchive", Admin),
    ("GET", "/admin/v1/accounts/{id}/subscription", Read),
    ("POST", "/admin/v1/accounts/{id}/subscription", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/activate", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/past-due", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/pause", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/resume", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/cancel", Billing),
    ("POST", "/admin/v1/accounts/{id}/subscription/change", Billing),
    ("GET", "/admin/v1/prices", Read),
    ("POST", "/admin/v1/prices", Admin),
    ("GET", "/admin/v1/prices/{id}", Read),
    ("PUT", "/admin/v1/prices/{id}", Admin),
    ("DELETE", "/admin/v1/prices/{id}", Admin),
    ("GET", "/admin/v1/usage", Read),
    ("GET", "/admin/v1/usage/sums", Read),
    ("GET", "/admin/v1/usage/forecast", Read),
    ("GET", "/admin/v1/shadow", Read),
    ("GET", "/admin/v1/leases", Read),
    ("POST", "/admin/v1/recall", Support),
    ("GET", "/admin/v1/audit", Read),
    ("GET", "/admin/v1/operators", Admin),
    ("POST", "/admin/v1/operators", Admin),
    ("POST", "/admin/v1/operators/{id}/tokens", Admin),
    ("POST", "/admin/v1/operators/{id}/revoke", Admin),
    ("POST", "/admin/v1/operators/{id}/sign-out", Admin),
    ("GET", "/admin/v1/gateway-tokens", Admin),
    ("POST", "/admin/v1/gateway-tokens", Admin),
    ("POST", "/admin/v1/gateway-tokens/{id}/revoke", Admin),
    ("GET", "/admin/v1/trail", Read),
    ("GET", "/admin/v1/calls", Read),
    ("GET", "/admin/v1/events", Read),
    ("GET", "/admin/v1/alerts", Read),
    ("POST", "/admin/v1/alerts", Admin),
    ("GET", "/admin/v1/accounts/{id}/alerts", Read),
    ("POST", "/admin/v1/accounts/{id}/alerts", Support),
    ("POST", "/admin/v1/accounts/{id}/portal-links", Support),
    ("GET", "/admin/v1/portal-subjects", Read),
    ("POST", "/admin/v1/accounts/{id}/portal-subjects", Support),
    ("POST", "/admin/v1/accounts/{id}/portal-subjects/remove", Support),
    // A URL may have a secret in it.
    ("GET", "/admin/v1/webhooks", Admin),
    ("POST", "/admin/v1/webhooks", Admin),
    ("GET", "/admin/v1/webhooks/{id}", Admin),
    ("GET", "/admin/v1/webhooks/{id}/deliveries", Admin),
    ("POST", "/admin/v1/webhooks/{id}/rotate-secret", Admin),
    ("POST", "/admin/v1/webhooks/{id}/pause", Admin),
    ("POST", "/admin/v1/webhooks/{id}/resume", Admin),
    ("POST", "/admin/v1/webhooks/{id}/delete", Admin),
    ("POST", "/admin/v1/webhooks/{id}/replay", Admin),
    ("POST", "/admin/v1/webhooks/{id}/test", Admin),
    ("GET", "/admin/v1/mail", Support),
    ("POST", "/admin/v1/mail", Support),
    ("GET", "/admin/v1/mail/{id}", Support),
    ("GET", "/admin/v1/mail/{id}/deliveries", Support),
    ("POST", "/admin/v1/mail/{id}/delete", Support),
    ("POST", "/admin/v1/mail-test", Admin),
    // Each request in it needs its own.
    ("POST", "/admin/v1/batch", Read),
];

/// The least scope of a route.
pub fn scope(method: &str, path: &str) -> AccessScope {
    let found = SCOPES.iter().find(|(of, template, _)| (*of, *template) == (method, path));
    found.map_or(Admin, |(.., scope)| *scope)
}

/// The operations that a path of a description has, by method.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("GET", item.get.as_mut()),
        ("POST", item.post.as_mut()),
        ("PUT", item.put.as_mut()),
        ("DELETE", item.delete.as_mut()),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}

/// The routes that need a token: what each is called and needs.
#[derive(Debug)]
pub struct Routes(HashMap<(String, String), Route>);

/// What a route is called, and needs.
#[derive(Clone, Debug)]
pub struct Route {
    /// The operation's name in the description.
    pub command: String,
    /// The least scope.
    pub scope: AccessScope,
}

impl Routes {
    /// Those of a description.
    pub fn of(mut api: OpenApi) -> Self {
        let mut routes = HashMap::new();
        for (path, item) in &mut api.paths.paths {
            for (method, operation) in operations(item) {
                let command = operation.operation_id.clone().unwrap_or_default();
                let route = Route { command, scope: scope(method, path) };
                routes.insert((method.to_owned(), path.clone()), route);
            }
        }
        Self(routes)
    }

    /// A route; of one that isn't described, at least what it needs.
    pub fn find(&self, method: &Method, path: &str) -> Route {
        // What may be read may be asked for without its body.
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        let found = self.0.get(&(method.to_owned(), path.to_owned())).cloned();
        found.unwrap_or_else(|| Route { command: "unknown".to_owned(), scope: Admin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_has_a_scope_and_every_scope_a_route() {
        let mut described = BTreeSet::new();
        for (path, item) in &mut crate::http::admin::all().paths.paths {
            described.extend(operations(item).map(|(method, _)| (method.to_owned(), path.clone())));
        }
        let listed: BTreeSet<_> =
            SCOPES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(listed.len(), SCOPES.len(), "one is listed twice");
        let missing: Vec<_> = described.difference(&listed).collect();
        assert!(missing.is_empty(), "say in SCOPES which scope these need: {missing:?}");
        let gone: Vec<_> = listed.difference(&described).collect();
        assert!(gone.is_empty(), "these are no routes: {gone:?}");
    }

    #[test]
    fn nothing_that_writes_is_for_readers_and_only_admins_make_tokens() {
        for (method, path, scope) in SCOPES {
            // Each request of a batch needs its own scope.
            let is_batch = path.ends_with("/batch");
            assert!(*method == "GET" || is_batch || *scope > Read, "{method} {path}");
            let about_tokens = path.contains("operators") || path.contains("tokens");
            assert!(!about_tokens || *scope == Admin, "{method} {path}");
        }
    }
}
