//! Many requests in one, as the admin API takes and answers them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The most requests in one batch.
pub const MAX_BATCH: usize = 1_000;

/// The method of a request in a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum BatchMethod {
    /// To read.
    Get,
    /// To write.
    #[default]
    Post,
    /// To set.
    Put,
    /// To remove.
    Delete,
}

/// Requests to carry out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 1000 requests. They are carried out at the same time and in no order, so none may need what another one makes.
    #[schema(max_items = 1000)]
    pub requests: Vec<BatchRequest>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// `POST` when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    pub method: BatchMethod,
    /// The path, with its query, as a request of its own would have it.
    #[schema(pattern = "^/admin/v1/", examples("/admin/v1/accounts"))]
    pub path: String,
    /// The body. None, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, Value>>)]
    pub body: Option<Value>,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswers {
    /// One per request, in the order of the requests.
    pub answers: Vec<BatchAnswer>,
}

/// What a request of its own would have been answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body: what the request's own answer has, or a `Problem`.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub body: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_default(method: &BatchMethod) -> bool {
    *method == BatchMethod::default()
}
