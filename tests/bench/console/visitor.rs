//! Somebody who looks at the console, or asks the admin API for its lists.

use crate::populated_ledger::PopulatedLedger;
use crate::wire::Connection;
use harness::ADMIN_TOKEN;
use std::time::{Duration, Instant};

/// The longest that a page may take here.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what is counted in the background may take at first.
const WARM_UP: Duration = Duration::from_secs(3_600);
/// How many of [`pages`] are pages of the console.
pub const CONSOLE_PAGES: usize = 22;

/// A page.
pub struct Page {
    pub name: &'static str,
    /// Its path, of the load of this number on a ledger with so many accounts.
    pub path: fn(u32, u32) -> String,
}

/// Somebody who is signed in.
pub struct Visitor {
    connection: Connection,
    cookie: String,
}

impl Visitor {
    pub async fn signed_in(ledger: &PopulatedLedger) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let base = format!("http://127.0.0.1:{}", ledger.ledger.admin_port);
        let entered = client.expect("a client").post(format!("{base}/console/sign-in"));
        let entered = entered.header("origin", &base).form(&[("token", ADMIN_TOKEN)]).send().await;
        let entered = entered.expect("an answer");
        let cookie = entered.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("a session").to_owned();
        Self { connection: Connection::to(ledger.ledger.admin_port), cookie }
    }

    /// How long a page took.
    pub async fn load(&mut self, path: &str) -> Duration {
        self.fetch(path).await.1
    }

    async fn fetch(&mut self, path: &str) -> (String, Duration) {
        let message = format!(
            "GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {ADMIN_TOKEN}\r\ncookie: {}\r\n\r\n",
            self.cookie
        );
        let reply = self.connection.send(message.as_bytes(), PATIENCE).await;
        let reply = reply.unwrap_or_else(|_| panic!("no answer within {PATIENCE:?} from {path}"));
        let body = String::from_utf8_lossy(reply.body).into_owned();
        assert_eq!(reply.status, 200, "{path}: {body}");
        (body, reply.took)
    }

    /// Looks until nothing is being counted for the first time.
    pub async fn warm_up(&mut self) {
        let began = Instant::now();
        for path in ["/console", "/console/prices", "/console/shadow"] {
            while self.fetch(path).await.0.contains("still being counted") {
                assert!(began.elapsed() < WARM_UP, "{path} is still being counted after {WARM_UP:?}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            eprintln!("{path} was counted within {:?}", began.elapsed());
        }
    }
}

/// An account, another one each time.
fn account(number: u32, accounts: u32) -> String {
    format!("bench-{}", 1 + u64::from(number) * 7_919 % u64::from(accounts))
}

/// All of them: those of the console first.
pub fn pages() -> Vec<Page> {
    fn page(name: &'static str, path: fn(u32, u32) -> String) -> Page {
        Page { name, path }
    }
    vec![
        page("overview", |_, _| "/console".to_owned()),
        page("overview by day", |_, _| "/console?by=day".to_owned()),
        page("accounts", |n, all| format!("/console/accounts?after={}", account(n, all))),
        page("accounts by name", |n, _| format!("/console/accounts?name=company%20{n}")),
        page("accounts by name, none", |n, all| {
            format!("/console/accounts?name=zzz{n}&after={}", account(n, all))
        }),
        page("accounts of a plan", |n, _| format!("/console/accounts?plan=plan-{}", n % 20)),
        page("accounts by state", |n, _| {
            format!("/console/accounts?state={}", ["suspended", "closed", "active"][n as usize % 3])
        }),
        page("accounts by balance", |n, all| {
            format!("/console/accounts?balance_below={}&after={}", n % 50, account(n, all))
        }),
        page("accounts by all", |n, all| {
            format!(
                "/console/accounts?name=9&plan=plan-{}&state=active&balance_below=300&after={}",
                n % 20,
                account(n, all)
            )
        }),
        page("an account", |n, all| format!("/console/accounts/{}", account(n, all))),
        page("an account by key", |n, all| format!("/console/accounts/{}?split=key", account(n, all))),
        page("an account by model", |n, all| format!("/console/accounts/{}?split=item", account(n, all))),
        page("the busiest account", |_, all| format!("/console/accounts/bench-{all}")),
        page("plans", |_, _| "/console/plans".to_owned()),
        page("a plan", |n, _| format!("/console/plans/plan-{}", n % 20)),
        page("prices", |_, _| "/console/prices".to_owned()),
        page("gateways", |_, _| "/console/gateways".to_owned()),
        page("a gateway", |n, _| format!("/console/gateways?gateway=gateway-{}", n % 50)),
        page("shadow", |_, _| "/console/shadow".to_owned()),
        page("trail", |_, _| "/console/trail".to_owned()),
        page("trail of an account", |n, _| {
            format!("/console/trail?account=bench-{}&operator=operator-{}", 1 + n % 3_000, n % 5)
        }),
        page("settings", |_, _| "/console/settings".to_owned()),
        page("API: accounts", |n, all| format!("/admin/v1/accounts?limit=1000&after={}", account(n, all))),
        page("API: accounts expiring", |n, all| {
            format!("/admin/v1/accounts?expiring_before=2100-01-01T00:00:00Z&after={}", account(n, all))
        }),
        page("API: accounts renewing", |n, all| {
            format!("/admin/v1/accounts?renewing_before=2100-01-01T00:00:00Z&after={}", account(n, all))
        }),
        page("API: keys of an account", |n, all| format!("/admin/v1/accounts/{}/keys", account(n, all))),
        page("API: keys by beginning", |n, _| {
            let prefix = crate::population::key(n * 997).prefix;
            format!("/admin/v1/keys?prefix={prefix}")
        }),
        page("API: grants", |n, all| format!("/admin/v1/accounts/{}/grants", account(n, all))),
        page("API: usage by minute", |n, all| {
            format!("/admin/v1/accounts/{}/usage?limit=1000", account(n, all))
        }),
        page("API: sums of an account", |n, all| {
            format!("/admin/v1/usage/sums?by=day&group=key,rule&account={}&limit=1000", account(n, all))
        }),
        page("API: the busiest by hour", |_, all| {
            format!("/admin/v1/usage/sums?by=hour&group=key,rule&account=bench-{all}&limit=1000")
        }),
        page("API: forecast", |n, all| format!("/admin/v1/usage/forecast?account={}", account(n, all))),
        page("API: events", |_, _| "/admin/v1/events?limit=1000".to_owned()),
        page("API: events of a kind", |n, _| {
            format!("/admin/v1/events?kind={}", ["grant.given", "balance.low", "key.revoked"][n as usize % 3])
        }),
        page("API: events of an account", |n, all| {
            format!("/admin/v1/events?kind=balance.low&account={}", account(n, all))
        }),
        page("API: webhooks", |_, _| "/admin/v1/webhooks".to_owned()),
        page("API: trail", |_, _| "/admin/v1/trail?limit=1000".to_owned()),
        page("API: leases", |_, _| "/admin/v1/leases".to_owned()),
        page("API: plans", |_, _| "/admin/v1/plans".to_owned()),
        page("API: shadow of an account", |n, _| {
            format!("/admin/v1/shadow?account=bench-{}", 1 + n % 20_000)
        }),
        page("API: why", |n, all| format!("/admin/v1/accounts/{}/why", account(n, all))),
        page("metrics", |_, _| "/metrics".to_owned()),
    ]
}
