//! What every store must do, whatever its database: each scenario is a function over a
//! freshly made [`Store`], and the macro at the end runs all of them on one kind of store.

use super::*;
use crate::api::{AccountState, KeyState};
use crate::command::admin::IdempotencyRecord;
use crate::command::budgets::Whose;
use crate::command::keys::{Credential, NewKey};
use crate::command::trail::Origin;
use crate::domain::account::Transition;
use crate::domain::period::{self, Anchor, Rhythm, Unit};
use crate::domain::plan::{PlanName, Terms};
use crate::domain::{AccountId, GrantId, KeyId, key};
use faregate_protocol::RefusalCode;
use faregate_protocol::exchange::{
    Ask, Ended, Entry, EntryAnswer, Holds, LeaseReport, Payer, UsageLine, UsageReport, VERSION,
};
use faregate_protocol::metering::Quantities;

pub mod budgets;
mod corrections;
mod events;
mod grants;
mod leases;
mod plans;
mod portal;
mod prices;
mod rotation;
mod sessions;
mod shadow;
mod status;
mod tokens;
mod unbooked;
mod usage;
mod world;

use budgets::*;
use corrections::*;
use events::*;
use grants::*;
use leases::*;
use plans::*;
use portal::*;
use prices::*;
use rotation::*;
use sessions::*;
use shadow::*;
use status::*;
use tokens::*;
use unbooked::*;
use usage::*;
pub use world::*;

/// Runs all stories on the stores that `$make` makes; it gives a store and what must outlive it.
macro_rules! stories {
    ($make:expr; $($story:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() {
                let Some((store, _keep)) = $make().await else { return };
                let handle = store.clone();
                super::$story(super::World::new(store)).await;
                handle.close().await;
            }
        )*
    };
    ($make:expr) => {
        stories! { $make;
            a_lease_is_opened_spent_and_returned,
            an_empty_account_is_refused_until_a_top_up,
            an_unknown_caller_gets_no_lease,
            a_key_is_found_by_its_hash,
            a_key_without_a_cell_is_accepted,
            a_starving_gateway_gets_the_unused_credits_of_another,
            a_reclaimed_leases_late_report_is_still_charged,
            sales_on_credit_are_charged_once,
            a_suspension_is_announced_and_later_reports_still_count,
            grants_run_out_of_time,
            repeated_admin_commands_are_idempotent,
            a_voided_grant_is_taken_back_also_from_leases,
            leased_credits_of_a_voided_grant_are_owed_once_spent,
            what_a_silent_gateway_held_of_a_voided_grant_is_taken_back,
            an_adjustment_takes_what_is_there_or_becomes_owed,
            the_expiry_priority_and_note_of_a_grant_can_be_changed,
            an_account_can_be_renamed_and_reopened_for_thirty_days,
            an_archived_plan_takes_no_subscriptions,
            the_number_of_grants_per_account_is_limited,
            a_grant_that_would_overflow_the_books_is_refused,
            usage_is_booked_once_per_report,
            a_gateway_hears_prices_and_of_every_change,
            future_prices_are_heard_when_their_time_comes,
            usage_by_model_is_booked_once_and_summed,
            usage_shows_what_models_cost_their_seller_and_what_is_left,
            a_models_cost_stays_until_another_is_set,
            shadow_refusals_are_listed_by_caller_and_cause,
            shadow_refusals_are_deleted_after_a_month,
            many_subscriptions_that_begin_at_once_are_all_made,
            usage_is_booked_in_the_minute_in_which_it_happened,
            old_usage_is_summed_up_by_hours_and_later_by_days,
            usage_is_summed_up_by_periods_and_groups_page_by_page,
            refusals_are_kept_by_the_hour_with_what_cures_them,
            a_recall_can_target_one_gateway_or_all,
            a_rotated_key_works_until_the_overlap_ends,
            a_rotation_without_overlap_is_announced_at_once,
            only_a_key_that_works_can_be_rotated,
            a_rotated_key_has_the_budget_with_what_was_used_of_it,
            a_keys_last_use_is_known_to_the_minute,
            lists_come_in_pages,
            a_plan_grants_its_quota_once_per_period,
            unused_quota_rolls_over_up_to_a_limit,
            after_missed_periods_the_current_quota_is_granted_once,
            a_plan_change_applies_at_the_next_period_or_immediately,
            the_quota_is_removed_when_its_subscription_ends,
            an_overdue_subscription_is_blocked_until_it_is_paid,
            the_entitlement_follows_the_newest_subscription,
            the_overdraft_is_spent_last,
            upgrades_apply_at_once_and_downgrades_with_the_next_period,
            an_immediate_downgrade_takes_leased_credits_back_too,
            an_immediate_change_of_interval_starts_a_new_first_period,
            an_exhausted_key_budget_does_not_affect_other_keys,
            a_team_shares_its_budget_and_only_its_leases_are_recalled,
            late_reports_and_sales_on_credit_count_toward_the_budget,
            lowering_a_budget_recalls_unused_credits,
            no_budget_may_exceed_the_one_that_encloses_it,
            a_plan_without_overage_leaves_bought_credits_untouched,
            gateways_stop_serving_an_unpaid_account,
            limits_are_divided_among_the_holders,
            a_reclaimed_remainder_may_go_to_the_operator_without_a_double_charge,
            without_a_plan_the_payer_status_shows_the_balance,
            with_a_plan_the_payer_status_shows_quota_limits_and_warning_threshold,
            credits_that_the_plan_may_not_spend_are_not_shown,
            the_payer_status_shows_no_more_than_the_budgets_leave,
            a_revoked_key_gets_no_payer_status,
            a_trial_quota_resets_when_the_trial_ends,
            an_entry_that_cannot_be_booked_fails_alone,
            a_lease_that_cannot_be_reclaimed_does_not_affect_others,
            implausible_amounts_are_not_charged_and_the_audit_lists_them,
            no_gateway_can_overflow_an_account,
            usage_totals_saturate_at_the_integer_maximum,
            a_subject_stands_for_one_operator_until_it_is_revoked,
            an_operator_has_several_tokens_of_one_scope,
            the_last_use_of_a_token_is_kept_to_the_minute,
            a_gateway_is_tied_to_the_named_token_that_it_came_with,
            the_trail_says_who_did_what_and_what_was_there_before,
            a_low_balance_is_announced_once_per_crossing,
            a_renewal_announces_no_low_balance,
            percentages_of_a_quota_are_announced_once_per_period,
            events_are_delivered_in_order_by_one_ledger_at_a_time,
            an_endpoint_is_given_up_after_three_days_and_keeps_its_events,
            a_replay_delivers_again_what_an_endpoint_wants,
            one_event_is_delivered_again,
            refusals_are_announced_once_until_they_are_over,
            what_is_wrong_with_the_ledger_has_numbers_of_its_own,
            mails_wait_in_order_and_are_given_up_alone,
            an_end_that_is_near_is_announced_once,
            events_are_kept_for_a_month,
            a_session_ends_by_age_idleness_signing_out_and_the_eleventh,
            a_link_to_the_portal_is_used_once_and_in_time,
            a_customers_session_ends_by_age_idleness_and_number,
            a_subject_belongs_to_one_account_and_its_sessions_end_with_it,
        }
    };
}

mod on_sqlite {
    use super::super::{Database, Store};
    use std::sync::Arc;

    async fn make() -> Option<(Store, tempfile::TempDir)> {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Database::Directory(dir.path().to_owned()), Arc::default()).await;
        Some((store.unwrap(), dir))
    }

    stories!(make);
}

mod on_postgres {
    use super::super::postgres::testing::Server;
    use super::super::{Database, Store};
    use std::sync::Arc;

    async fn make() -> Option<(Store, ())> {
        let settings = Server::shared()?.database().await;
        let store = Store::open(&Database::Server(Box::new(settings)), Arc::default()).await;
        Some((store.unwrap(), ()))
    }

    stories!(make);
}
