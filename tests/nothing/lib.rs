//! A filter as the SDK's first example has it, which lets every request go on and looks at nothing. What it
//! costs is what wasm in Envoy costs.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

mod start {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(super::Nothing));
    }}
}

struct Nothing;

impl Context for Nothing {}

impl RootContext for Nothing {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Nothing))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl HttpContext for Nothing {}
