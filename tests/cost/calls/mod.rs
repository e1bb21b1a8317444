//! The host functions that the filter calls, over plain data: those of proxy-wasm 0.2.1 and those of WASI that it uses.

mod headers;
mod process;
mod shared;

use crate::call::Call;
use crate::host::Host;
use wasmi::{Error, ExternType, Linker, Module, Val};

/// How a host function ends, by proxy-wasm's numbers.
#[derive(Clone, Copy)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    Empty = 7,
    CasMismatch = 8,
}

/// Defines every function that the module wants. An unknown one ends the test when it is called.
pub fn define(linker: &mut Linker<Host>, module: &Module) {
    for import in module.imports() {
        let ExternType::Func(kind) = import.ty().clone() else {
            panic!("the filter imports {}, which is no function", import.name());
        };
        let name = import.name().trim_start_matches("proxy_").to_owned();
        let answer = move |caller: wasmi::Caller<'_, Host>, arguments: &[Val], results: &mut [Val]| {
            let mut call = Call::new(caller, arguments);
            call.host().spent.calls.push(name.clone());
            let status = headers::answer(&mut call, &name)
                .or_else(|| shared::answer(&mut call, &name))
                .or_else(|| process::answer(&mut call, &name))
                .ok_or_else(|| Error::new(format!("the filter called {name}, which tests/cost can't do")))?;
            if let Some(result) = results.first_mut() {
                *result = Val::I32(status as i32);
            }
            Ok(())
        };
        linker.func_new(import.module(), import.name(), kind, answer).expect("no function is imported twice");
    }
}
