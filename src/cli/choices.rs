//! The few words that some options take, so that `--help` lists them and another word is refused by name.

/// What a period of the calendar is.
pub const PERIODS: [&str; 5] = ["hour", "day", "week", "month", "year"];
/// Where periods begin.
pub const ANCHORS: [&str; 2] = ["start", "calendar"];
/// What pays when a quota is used up.
pub const OVERAGES: [&str; 3] = ["bought", "refuse", "overdraft"];
/// Whose is what a gateway that died had not reported.
pub const REMAINDERS: [&str; 2] = ["customer", "operator"];

#[cfg(test)]
mod tests {
    use super::*;
    use faregate_ledger::api::{Anchor, Unit};
    use faregate_ledger::domain::policy::{OveragePolicy, Remainder};
    use serde::de::DeserializeOwned;

    /// The words that the admin API takes, as its own error lists them.
    fn taken<T: DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>("\"?\"").map(drop).unwrap_err().to_string();
        let (_, allowed) = error.split_once("expected ").unwrap();
        allowed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn options_take_what_the_admin_api_takes() {
        assert_eq!(taken::<Unit>(), PERIODS);
        assert_eq!(taken::<Anchor>(), ANCHORS);
        assert_eq!(taken::<OveragePolicy>(), OVERAGES);
        assert_eq!(taken::<Remainder>(), REMAINDERS);
    }
}
