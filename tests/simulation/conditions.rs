//! What a seed's world is like: how many of everything, how the clocks run, and what goes wrong how often.

use crate::random::Random;
use serde_json::json;

use faregate::decide::settings::Settings;

/// Something that goes wrong, or that the operator does, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttemptError {
    GatewayKilled,
    MemoryWiped,
    WorkerKilled,
    GatewayFrozen,
    GatewayCutOff,
    LedgerKilled,
    WallClockJumps,
    TopUp,
    ExpiringGrant,
    KeyRevoked,
    AccountSuspended,
    RecalledByOperator,
    /// Something about plans and subscriptions.
    PlanChanges,
    BudgetChanges,
    /// Something that was given is taken back.
    Correction,
}

/// What disturbs the service.
const FAULTS: [AttemptError; 7] = [
    AttemptError::GatewayKilled,
    AttemptError::MemoryWiped,
    AttemptError::WorkerKilled,
    AttemptError::GatewayFrozen,
    AttemptError::GatewayCutOff,
    AttemptError::LedgerKilled,
    AttemptError::WallClockJumps,
];
/// What belongs to every day.
const EVERYDAY: [AttemptError; 5] = [
    AttemptError::TopUp,
    AttemptError::ExpiringGrant,
    AttemptError::KeyRevoked,
    AttemptError::AccountSuspended,
    AttemptError::RecalledByOperator,
];

/// The world of one seed.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Nothing is lost, killed, frozen or slow: then no request may be refused without a reason.
    pub calm: bool,
    pub gateways: usize,
    pub workers: usize,
    pub ledgers: usize,
    pub accounts: usize,
    pub keys: usize,
    pub ttl_ms: u64,
    pub grace_ms: u64,
    pub timeout_ms: u64,
    pub max_wait_ms: u64,
    pub on_credit: bool,
    /// What an account begins with at most, in credits.
    pub wealth: u64,
    /// The most requests of one key that come together.
    pub burst: u64,
    /// How long clients come (ms).
    pub length_ms: u64,
    /// Mean time between two requests of a key (ms).
    pub between_ms: u64,
    /// Messages out of a thousand that are lost, per direction.
    pub lost: u64,
    /// … that come twice.
    pub repeated: u64,
    /// … that take long.
    pub slow: u64,
    /// … for how long at most (ms).
    pub slow_ms: u64,
    /// Commits out of a thousand that fail, with the gateway left in doubt.
    pub failed_commits: u64,
    /// Clients out of a thousand that hang up while they wait.
    pub hang_ups: u64,
    /// Swaps out of a thousand that are lost to another worker.
    pub races: u64,
    /// Mean time between troubles (ms), and which there are.
    pub trouble_ms: u64,
    pub troubles: Vec<AttemptError>,
    /// What accounts subscribe to; `None` in worlds without plans.
    pub planned: Option<Planned>,
    /// What all keys but the first ask for all the time, in some worlds with products.
    pub steady: Option<&'static str>,
    /// Ledgers of two releases take turns, of which one doesn't speak the gates' version.
    pub releases: bool,
    /// Requests whose cost is known only at their end.
    pub metered: Metered,
}

/// Requests whose cost is known only at their end.
#[derive(Clone, Copy, Debug)]
pub struct Metered {
    /// How many of a thousand requests are such.
    pub share: u64,
    /// How many of a thousand of those take long, and how long at most (ms).
    pub long: u64,
    pub long_ms: u64,
}

impl Metered {
    /// Three of four seeds have some. Their chance is its own, so that the others stay as they were.
    fn draw(random: &mut Random) -> Self {
        let share = random.pick(&[0, 100, 500, 900]);
        let (long, long_ms) = match random.between(0, 19) {
            // Longer than a gateway believes in a request that no worker vouches for.
            0 => (3, 25 * 60 * 1_000),
            1..=5 => (20, 2 * 60 * 1_000),
            6..=12 => (50, 25_000),
            _ => (0, LEAST_LONG_MS),
        };
        Self { share, long, long_ms }
    }
}

/// No long request takes less (ms).
pub const LEAST_LONG_MS: u64 = 6_000;

/// A world with plans, teams and budgets.
#[derive(Clone, Debug)]
pub struct Planned {
    /// How many times as fast as time the wall clocks run.
    pub pace: u64,
    pub plans: usize,
    /// Plans limit how fast requests may come.
    pub limits: bool,
    /// Plans and keys are limited to products, and prices differ.
    pub products: bool,
    pub budgets: bool,
}

impl Planned {
    /// Every other seed has plans. Their chance is its own, so that the others stay as they were.
    fn draw(random: &mut Random) -> Option<Self> {
        random.chance(500).then(|| Self {
            pace: random.pick(&[100, 600, 600, 3_600]),
            plans: random.pick(&[1, 2, 3]),
            limits: random.chance(400),
            products: random.chance(400),
            budgets: random.chance(600),
        })
    }
}

impl Conditions {
    /// The conditions of a seed.
    pub fn draw(random: &mut Random, of_plans: &mut Random) -> Self {
        let planned = Planned::draw(of_plans);
        let has_products = planned.as_ref().is_some_and(|planned| planned.products);
        let steady = (has_products && of_plans.chance(500)).then(|| of_plans.pick(&["/half", "/three"]));
        let calm = random.chance(200);
        let ttl_ms = random.pick(&[3_000, 6_000, 10_000, 20_000]);
        let rate = |random: &mut Random, choices: &[u64]| if calm { 0 } else { random.pick(choices) };
        let mut troubles: Vec<AttemptError> = EVERYDAY.into_iter().filter(|_| random.chance(600)).collect();
        if !calm {
            troubles.extend(FAULTS.into_iter().filter(|_| random.chance(450)));
        }
        if let Some(planned) = &planned {
            troubles.extend([AttemptError::PlanChanges; 2]);
            troubles.extend(planned.budgets.then_some(AttemptError::BudgetChanges));
        }
        // A draw of its own, so that the others stay as they were.
        if Random::new(of_plans.clone().any() ^ 0x01D5).chance(500) {
            troubles.push(AttemptError::Correction);
        }
        Self {
            calm,
            gateways: random.pick(&[1, 2, 2, 3]),
            workers: random.pick(&[1, 2, 2, 3]),
            ledgers: random.pick(&[1, 2]),
            accounts: random.pick(&[1, 1, 2]),
            keys: random.pick(&[2, 3, 4]),
            ttl_ms,
            // Enough for two clocks that run up to a twentieth wrong in opposite directions.
            grace_ms: ttl_ms / random.pick(&[2, 4, 8]),
            timeout_ms: if calm { 500 } else { random.pick(&[200, 500, 2_000]) },
            max_wait_ms: if calm { 2_500 } else { random.pick(&[0, 300, 1_000, 2_500]) },
            on_credit: random.chance(300),
            wealth: random.pick(&[20, 200, 2_000, 20_000]),
            burst: random.pick(&[1, 1, 4, 12]),
            length_ms: random.between(15_000, 40_000),
            between_ms: random.pick(&[20, 50, 100, 300, 1_500]),
            lost: rate(random, &[0, 0, 10, 50, 200]),
            repeated: rate(random, &[0, 10, 100]),
            slow: rate(random, &[0, 10, 50, 200]),
            slow_ms: if calm { 300 } else { random.pick(&[300, 1_500, 4_000, 40_000]) },
            failed_commits: rate(random, &[0, 0, 20, 100]),
            hang_ups: random.pick(&[0, 50, 300]),
            races: random.pick(&[0, 20, 100]),
            trouble_ms: random.pick(&[500, 1_500, 4_000]),
            troubles,
            planned,
            steady,
            // A draw of its own, so that the others stay as they were.
            releases: of_plans.clone().chance(330),
            metered: Metered::draw(&mut Random::new(of_plans.clone().any() ^ 0xC057)),
        }
    }

    /// How many times as fast as time the wall clocks run.
    pub fn pace(&self) -> u64 {
        self.planned.as_ref().map_or(1, |planned| planned.pace)
    }

    /// The gates' configuration.
    pub fn settings(&self) -> Settings {
        let has_products = self.planned.as_ref().is_some_and(|planned| planned.products);
        let route = |name: &str, price: &str| {
            let path = format!("/{name}");
            let mut rule = json!({"name": name, "match": {"path": {"exact": path}}, "price": price});
            if has_products && PRODUCTS.contains(&name) {
                rule["product"] = json!(name);
            }
            rule
        };
        let mut config = json!({
            "ledger": {"cluster": "ledger", "token": {"env": "TOKEN"}, "timeout_ms": self.timeout_ms},
            "identities": [{"header": "x-api-key"}],
            "rules": [route("half", "0.5"), route("three", "3"), route("dust", "0.000001")],
            "default": {"price": "1"},
            "refund_on": [503],
            "max_wait_ms": self.max_wait_ms,
        });
        if self.on_credit {
            config["on_ledger_error"] = json!({"allow_up_to": ON_CREDIT_LIMIT});
        }
        Settings::from_value(&config).expect("the simulator's configuration is right")
    }
}

/// What a payer may use on credit at a gateway, in credits.
pub const ON_CREDIT_LIMIT: &str = "5";
/// The same in micro-credits.
pub const ON_CREDIT_LIMIT_MICROS: i64 = 5_000_000;
/// The products that some plans leave out; the paths of these names.
pub const PRODUCTS: [&str; 2] = ["half", "three"];
/// The paths that clients ask for, the usual one most often.
pub const PATHS: [&str; 6] = ["/one", "/one", "/one", "/half", "/three", "/dust"];
