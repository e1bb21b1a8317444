//! Reads meters of calls: tools by MCP, and messages to agents by A2A. Each call has a fixed price.
//!
//! What must hold: a call of a tool that isn't listed has a price, too.

use super::limits::{check_item, read_max_body};
use crate::decide::meter::asked::mcp::{CallAnswer, best};
use crate::decide::settings::amount::{read_amount, read_price};
use crate::decide::settings::reader::Field;
use faregate_protocol::Credits;

/// The most tools of one rule.
const MAX_TOOLS: usize = 1_000;

/// Which protocol calls are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallProtocol {
    /// Tools, prompts and resources.
    Mcp,
    /// Messages to agents.
    A2a,
}

/// Which answers to a call release its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallRefunds {
    /// A JSON-RPC error: the call failed.
    pub error: bool,
    /// A result that says that the tool, or an agent's task, failed.
    pub is_error: bool,
    /// A result that asks for more input: the client sends the same call again.
    pub input_required: bool,
}

impl CallRefunds {
    /// Whether this answer releases the price.
    pub fn release(self, answer: CallAnswer) -> bool {
        self.error && answer.is_rpc_error
            || self.is_error && answer.is_tool_error
            || self.input_required && answer.is_input_required
    }
}

/// How calls are metered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMeter {
    /// By which protocol.
    pub protocol: CallProtocol,
    /// Prices by the name of a tool or a prompt, or a resource's URI; or by the beginning of it with `*` behind.
    pub prices: Vec<(String, Credits)>,
    /// What all others cost.
    pub other: Credits,
    /// Which answers release the price.
    pub refund: CallRefunds,
    /// The largest body that is read (bytes).
    pub max_body: u32,
}

impl CallMeter {
    /// What a call of this name costs.
    pub fn price(&self, name: Option<&str>) -> Credits {
        let at = name.and_then(|name| best(self.prices.iter().map(|(pattern, _)| pattern.as_str()), name));
        at.and_then(|at| self.prices.get(at)).map_or(self.other, |(_, price)| *price)
    }
}

/// Reads a meter that has `mcp`.
#[inline(never)]
pub(super) fn read_mcp(field: &Field<'_>) -> CallMeter {
    let object = field.object(&["mcp", "other", "refund", "max_body_bytes"]);
    let tools = object.required("mcp");
    let tools_object = tools.object(&[]);
    let members = tools_object.members();
    if members.len() > MAX_TOOLS {
        tools.wrong("too many tools", "at most 1000");
    }
    let read = |tool: Field<'_>| {
        let name = tool.name();
        check_item(&tool);
        (name.to_owned(), read_price(&tool).unwrap_or_default())
    };
    let usual = CallRefunds { error: true, is_error: false, input_required: true };
    CallMeter {
        protocol: CallProtocol::Mcp,
        prices: members.map(read).collect(),
        other: read_price(&object.required("other")).unwrap_or_default(),
        refund: object.optional("refund").map_or(usual, |field| read_refunds(&field, false)),
        max_body: read_max_body(&object),
    }
}

/// Reads a meter that has `a2a`.
#[inline(never)]
pub(super) fn read_a2a(field: &Field<'_>) -> CallMeter {
    let object = field.object(&["a2a", "refund", "max_body_bytes"]);
    let usual = CallRefunds { error: true, is_error: false, input_required: false };
    CallMeter {
        protocol: CallProtocol::A2a,
        prices: Vec::new(),
        other: read_amount(&object.required("a2a")),
        refund: object.optional("refund").map_or(usual, |field| read_refunds(&field, true)),
        max_body: read_max_body(&object),
    }
}

fn read_refunds(field: &Field<'_>, agents: bool) -> CallRefunds {
    let mut refunds = CallRefunds::default();
    for item in field.list(3) {
        match (item.as_str(), agents) {
            (Some("error"), _) => refunds.error = true,
            (Some("failed"), true) | (Some("is_error"), false) => refunds.is_error = true,
            (Some("input_required"), false) => refunds.input_required = true,
            (_, true) => item.wrong_value("\"error\" or \"failed\""),
            (_, false) => item.wrong_value("\"error\", \"is_error\" or \"input_required\""),
        }
    }
    refunds
}
