//! The errors of the admin API: name, status and meaning of each, in one table. The API's description lists them from here.

use axum::http::StatusCode;

/// Makes the enum, and what each of its variants is.
macro_rules! codes {
    ($($status:ident { $($code:ident $name:literal $meaning:literal)* })*) => {
        /// What went wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $meaning] $code,)*)*
        }

        impl Code {
            /// All of them, by status.
            pub const ALL: &[Self] = &[$($(Self::$code,)*)*];

            /// The name that programs read.
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$code => $name,)*)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $($(Self::$code)|* => StatusCode::$status,)* }
            }

            /// When it is given.
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$code => $meaning,)*)* }
            }
        }
    };
}

codes! {
    BAD_REQUEST {
        InvalidRequest "invalid_request" "a field or a query parameter is missing, unknown or out of range; `field` names it"
        MissingIdempotencyKey "missing_idempotency_key" "the `Idempotency-Key` header is missing or can't be read"
    }
    UNAUTHORIZED {
        Unauthorized "unauthorized" "the token is missing, wrong, expired or revoked"
    }
    FORBIDDEN {
        Forbidden "forbidden" "the token's scope doesn't include this; each operation names the scope that it needs"
    }
    NOT_FOUND {
        NotFound "not_found" "there is no such object"
    }
    METHOD_NOT_ALLOWED {
        MethodNotAllowed "method_not_allowed" "the path takes another method"
    }
    REQUEST_TIMEOUT {
        TooSlow "too_slow" "the request has not arrived in time, or took too long"
    }
    CONFLICT {
        AccountExists "account_exists" "there is an account with this identifier"
        SubjectTaken "subject_taken" "the subject belongs to another key, operator or account"
        NotRotatable "not_rotatable" "it is a subject, or a key that is revoked, expired or was rotated before"
        AccountClosed "account_closed" "the account is closed"
        ClosedTooLong "closed_too_long" "the account was closed more than 30 days ago, or by an older version"
        NothingToVoid "nothing_to_void" "nothing is left of the grant that could be taken back"
        PlanInUse "plan_in_use" "there are subscriptions to the plan that aren't over"
        TeamExists "team_exists" "the account has a team with this identifier"
        PlanExists "plan_exists" "there is a plan of this name"
        OperatorExists "operator_exists" "there is an operator of this name"
        SubscriptionExists "subscription_exists" "the account has a subscription that isn't over"
        WrongState "wrong_state" "the subscription's state doesn't allow it"
        TooManyGrants "too_many_grants" "the account has the most grants with something left that an account may have"
        PortalOff "portal_off" "no portal is open here, and its settings name no `url`"
        TooMany "too_many" "there are as many objects of this kind as there may be"
        IdempotencyKeyReused "idempotency_key_reused" "the idempotency key came with another request before"
        KeyAlreadyShown "key_already_shown" "the key or the token was made by an earlier request, and its secret is shown only once"
    }
    TOO_MANY_REQUESTS {
        TooManyRequests "too_many_requests" "too many attempts have failed, or too much was changed, within a minute; of the portal alone"
    }
    PAYLOAD_TOO_LARGE {
        TooLarge "too_large" "the body has more than 64 KiB"
    }
    INTERNAL_SERVER_ERROR {
        Internal "internal" "the ledger is at fault; its log says more"
    }
    SERVICE_UNAVAILABLE {
        Overloaded "overloaded" "the ledger is busy"
        ShuttingDown "shutting_down" "the ledger is stopping"
        DatabaseUnavailable "database_unavailable" "the database can't be reached"
        DiskFull "disk_full" "the disk is full"
        DiskFailed "disk_failed" "the disk failed"
        DatabaseDamaged "database_damaged" "the database is damaged"
    }
}
