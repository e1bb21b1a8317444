//! What the filter exports: its callbacks under the names that Envoy looks for, and nothing that nobody asks for.
//!
//! What must hold: a module with a callback too few would let requests pass unseen, so it isn't made.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{ExportSectionReader, ExternalKind, Parser, Payload};

/// How the names of callbacks begin for Envoy.
pub const ENVOYS: &str = "proxy_on_";
/// How they begin in the filter.
const OURS: &str = "faregate_";
/// The filter's callbacks.
const CALLBACKS: [&str; 15] = [
    "configure",
    "context_create",
    "delete",
    "http_call_response",
    "log",
    "memory_allocate",
    "queue_ready",
    "request_body",
    "request_headers",
    "request_trailers",
    "response_body",
    "response_headers",
    "response_trailers",
    "tick",
    "vm_start",
];
/// What else a filter has: its memory, its beginning, and its version of the ABI.
const OTHERS: [&str; 3] = ["_initialize", "memory", "proxy_abi_version_0_2_1"];

/// The same module, whose callbacks have the names that Envoy looks for.
pub fn renamed(module: &[u8]) -> Result<Vec<u8>> {
    let mut out = Module::new();
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("what was linked is no WebAssembly")?;
        if let Payload::ExportSection(exports) = payload {
            out.section(&rename(exports, &mut found)?);
        } else if let Some((id, range)) = payload.as_section() {
            let data = module.get(range).context("a section ends behind its module")?;
            out.section(&RawSection { id, data });
        }
    }
    let wanted = CALLBACKS.map(|name| format!("{ENVOYS}{name}"));
    let wanted: BTreeSet<String> = wanted.into_iter().chain(OTHERS.map(str::to_owned)).collect();
    if found != wanted {
        bail!(
            "the filter exports {:?} besides what is known in tools/wasm-link/exports.rs, and doesn't export {:?}",
            found.difference(&wanted).collect::<Vec<_>>(),
            wanted.difference(&found).collect::<Vec<_>>()
        );
    }
    Ok(out.finish())
}

fn rename(exports: ExportSectionReader<'_>, found: &mut BTreeSet<String>) -> Result<ExportSection> {
    let mut section = ExportSection::new();
    for export in exports {
        let export = export?;
        let kind = match export.kind {
            ExternalKind::Func => ExportKind::Func,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        let name = match export.name.strip_prefix(OURS) {
            Some(callback) => format!("{ENVOYS}{callback}"),
            None => export.name.to_owned(),
        };
        section.export(&name, kind, export.index);
        found.insert(name);
    }
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        CodeSection, CustomSection, Function, FunctionSection, MemorySection, MemoryType, TypeSection,
    };

    /// A module that exports one function under all these names, and the memory.
    fn module<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
        let (mut types, mut functions, mut code) =
            (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        types.ty().function([], []);
        functions.function(0);
        let mut body = Function::new([]);
        body.instructions().end();
        code.function(&body);
        let mut memories = MemorySection::new();
        let limits =
            MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
        memories.memory(limits);
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        for name in names {
            exports.export(name, ExportKind::Func, 0);
        }
        let note = CustomSection { name: "note".into(), data: b"\x0cfaregate_log\0".into() };
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
        module.section(&note);
        module.finish()
    }

    fn filter() -> Vec<String> {
        let others = OTHERS.into_iter().filter(|name| *name != "memory").map(str::to_owned);
        CALLBACKS.into_iter().map(|name| format!("{OURS}{name}")).chain(others).collect()
    }

    #[test]
    fn callbacks_are_renamed_for_envoy_and_everything_else_is_unchanged() {
        let names = filter();
        let renamed = renamed(&module(names.iter().map(String::as_str))).unwrap();
        let same = names.iter().map(|name| name.replace(OURS, ENVOYS)).collect::<Vec<_>>();
        assert_eq!(renamed, module(same.iter().map(String::as_str)));
    }

    #[test]
    fn a_filter_with_missing_callbacks_or_extra_exports_is_rejected() {
        let names = filter();
        let without = names.iter().map(String::as_str).filter(|name| *name != "faregate_log");
        let why = renamed(&module(without)).unwrap_err().to_string();
        assert!(why.contains(r#"doesn't export ["proxy_on_log"]"#), "{why}");
        for more in ["proxy_on_done", "faregate_done", "malloc"] {
            let why =
                renamed(&module(names.iter().map(String::as_str).chain([more]))).unwrap_err().to_string();
            assert!(why.contains("besides") && why.contains(&more.replace(OURS, ENVOYS)), "{why}");
        }
        assert!(renamed(b"no module").is_err());
    }
}
