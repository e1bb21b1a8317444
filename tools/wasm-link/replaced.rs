//! Functions of the standard library that the filter has its own for.
//!
//! The standard library ends a program that fails as one with a terminal: it writes a backtrace, the thread's name, the texts of
//! errors of an operating system. The filter has an end of its own (`src/filter/host/failure.rs`). rustc has no way to say so, but
//! the linker has: `--wrap=NAME` sends each call of NAME to `__wrap_NAME`. An object that is made here has these, and each calls the
//! filter's function. Then the linker drops what nothing calls any more.
//!
//! What must hold: a toolchain that has no such function is an error, so that nothing grows back unnoticed.

use anyhow::{Context, Result};
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use wasm_encoder::{
    CodeSection, CustomSection, Encode, EntityType, Function, FunctionSection, ImportSection, LinkingSection,
    Module, SymbolTable, TypeSection, ValType,
};

/// A function of the standard library, and the filter's.
struct Replaced {
    /// How its name ends, as rustc mangles it: before that is a hash, which is another one in every toolchain.
    name: &'static str,
    filters: &'static str,
    /// How many words both take. They don't return.
    words: u8,
}

const REPLACED: [Replaced; 2] = [
    Replaced { name: "_7___rustc17rust_begin_unwind", filters: "faregate_panicked", words: 1 },
    Replaced { name: "_7___rustc26___rust_alloc_error_handler", filters: "faregate_out_of_memory", words: 2 },
];

/// Whether an export is such a function of the filter's: it is for the linker, not for Envoy.
pub fn is_replacement(export: &str) -> bool {
    REPLACED.iter().any(|function| function.filters == export)
}

/// Writes the object, and returns the linker's arguments for it.
pub fn arguments(given: &[OsString], object: &Path) -> Result<Vec<OsString>> {
    let std = given.iter().map(Path::new).find(|path| is_std(path)).context("no libstd to link")?;
    let std = std::fs::read(std).with_context(|| format!("reading {}", std.display()))?;
    let mut arguments = vec![OsString::from(object)];
    let mut names = Vec::new();
    for Replaced { name, .. } in REPLACED {
        let full = full_name(&std, name).with_context(|| {
            format!("the standard library has no function …{name}; see tools/wasm-link/replaced.rs")
        })?;
        arguments.push(format!("--wrap={full}").into());
        names.push(format!("__wrap_{full}"));
    }
    std::fs::write(object, calls(&names)).with_context(|| format!("writing {}", object.display()))?;
    Ok(arguments)
}

fn is_std(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("libstd-") && path.extension().is_some_and(|extension| extension == "rlib")
}

/// The whole name of a function, as it is in a library's table of symbols.
fn full_name(library: &[u8], end: &str) -> Option<String> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let ends = library.windows(end.len()).enumerate().filter(|(_, part)| *part == end.as_bytes());
    ends.map(|(at, _)| at).find_map(|at| {
        let before = library.get(..at)?.iter().rev().take_while(|byte| is_of_name(byte)).count();
        let behind = library.get(at + end.len());
        let name = std::str::from_utf8(library.get(at - before..at + end.len())?).ok()?;
        (name.starts_with("_RNvCs") && !behind.is_some_and(is_of_name)).then(|| name.to_owned())
    })
}

/// An object with a function of each of these names, that calls the filter's.
fn calls(names: &[String]) -> Vec<u8> {
    let (mut types, mut imports, mut functions) =
        (TypeSection::new(), ImportSection::new(), FunctionSection::new());
    let (mut code, mut symbols) = (CodeSection::new(), SymbolTable::new());
    let (mut relocations, mut offset) = (Vec::new(), 1);
    for (index, function) in (0_u32..).zip(&REPLACED) {
        types.ty().function((0..function.words).map(|_| ValType::I32), []);
        imports.import("env", function.filters, EntityType::Function(index));
        functions.function(index);
        let mut body = Function::new([]);
        for word in 0..function.words {
            body.instructions().local_get(word.into());
        }
        // A call of a function whose number the linker fills in, in five bytes.
        body.raw([0x10, 0x80, 0x80, 0x80, 0x80, 0x00]).instructions().unreachable().end();
        // Before that are the body's size, the number of its variables, and two bytes for each word.
        let called_at = offset + 2 + 2 * u32::from(function.words) + 1;
        relocations.push((called_at, index));
        code.function(&body);
        offset += 1 + u32::try_from(body.byte_len()).unwrap_or_default();
        symbols.function(SymbolTable::WASM_SYM_UNDEFINED, index, None);
    }
    for (index, name) in (0_u32..).zip(names) {
        symbols.function(0, u32::try_from(REPLACED.len()).unwrap_or_default() + index, Some(name));
    }
    let mut linking = LinkingSection::new();
    linking.symbol_table(&symbols);
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&code).section(&linking);
    module.section(&CustomSection { name: "reloc.CODE".into(), data: Cow::Owned(fixups(&relocations)) });
    module.finish()
}

/// Where the numbers of called functions are in the code, and which symbols they are.
fn fixups(relocations: &[(u32, u32)]) -> Vec<u8> {
    const CODE: u32 = 3;
    const FUNCTION_INDEX_LEB: u8 = 0;
    let mut data = Vec::new();
    CODE.encode(&mut data);
    relocations.len().encode(&mut data);
    for (offset, symbol) in relocations {
        data.push(FUNCTION_INDEX_LEB);
        offset.encode(&mut data);
        symbol.encode(&mut data);
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{KnownCustom, Parser, Payload, RelocationEntry};

    #[test]
    fn a_function_is_found_by_the_end_of_its_name() {
        let library = b"\x05_RNvXs_3std5panic\x1f_RNCNvCs1a_3std5panic\x10_RNvCs1a2B_3std5panics\0\x0f_RNvCs1a2B_3std5panic\0\x07";
        assert_eq!(full_name(library, "_3std5panic").as_deref(), Some("_RNvCs1a2B_3std5panic"));
        assert_eq!(full_name(library, "_3std6panics"), None);
        assert_eq!(full_name(b"_3std5panic", "_3std5panic"), None);
    }

    #[test]
    fn each_function_calls_the_filters() {
        let names = ["__wrap_one".to_owned(), "__wrap_two".to_owned()];
        let object = calls(&names);
        let (mut code, mut calls) = (0, Vec::new());
        for payload in Parser::new(0).parse_all(&object) {
            match payload.unwrap() {
                Payload::CodeSectionStart { range, .. } => code = range.start,
                Payload::CustomSection(section) => {
                    if let KnownCustom::Reloc(relocations) = section.as_known() {
                        assert_eq!(relocations.section_index(), 3);
                        calls.extend(relocations.entries().into_iter().map(Result::unwrap));
                    }
                }
                _ => {}
            }
        }
        assert_eq!(calls.iter().map(|call: &RelocationEntry| call.index).collect::<Vec<_>>(), [0, 1]);
        for call in calls {
            let at = code + call.relocation_range().start;
            assert_eq!(object[at - 1..at + 5], [0x10, 0x80, 0x80, 0x80, 0x80, 0]);
        }
    }
}
