//! The steps from version to version of both databases' tables, forward only. A step that was released never changes.

/// SQLite's.
pub const SQLITE: [&str; 13] = [
    include_str!("sqlite/0001_start.sql"),
    include_str!("sqlite/0002_plans.sql"),
    include_str!("sqlite/0003_teams.sql"),
    include_str!("sqlite/0004_standing.sql"),
    include_str!("sqlite/0005_unbooked.sql"),
    include_str!("sqlite/0006_hot.sql"),
    include_str!("sqlite/0007_names.sql"),
    include_str!("sqlite/0008_metering.sql"),
    include_str!("sqlite/0009_costs.sql"),
    include_str!("sqlite/0010_operators.sql"),
    include_str!("sqlite/0011_events_and_sessions.sql"),
    include_str!("sqlite/0012_portal_mail_and_calls.sql"),
    include_str!("sqlite/0013_portal_subjects.sql"),
];

/// PostgreSQL's.
pub const POSTGRES: [&str; 13] = [
    include_str!("postgres/0001_start.sql"),
    include_str!("postgres/0002_plans.sql"),
    include_str!("postgres/0003_teams.sql"),
    include_str!("postgres/0004_standing.sql"),
    include_str!("postgres/0005_unbooked.sql"),
    include_str!("postgres/0006_hot.sql"),
    include_str!("postgres/0007_names.sql"),
    include_str!("postgres/0008_metering.sql"),
    include_str!("postgres/0009_costs.sql"),
    include_str!("postgres/0010_operators.sql"),
    include_str!("postgres/0011_events_and_sessions.sql"),
    include_str!("postgres/0012_portal_mail_and_calls.sql"),
    include_str!("postgres/0013_portal_subjects.sql"),
];
