//! The real filter, ready to be run, with counters for its instructions and its allocations.

use crate::calls;
use crate::host::Host;
use crate::meter::{LARGEST, metered};
use std::sync::OnceLock;
use wasmi::{Config, Engine, Error, Instance, Linker, Module, Store, Val};

/// More than any callback uses, so that one which never ends is an error. It measures nothing; see [`crate::meter`].
pub const FUEL: u64 = 10_000_000_000;

/// A fresh instance of the filter over this host.
pub fn instance(host: Host) -> (Store<Host>, Instance) {
    static FILTER: OnceLock<(Engine, Module)> = OnceLock::new();
    let (engine, module) = FILTER.get_or_init(|| {
        let wasm = std::fs::read(harness::filter()).expect("the filter can be read");
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let allocator = allocator(&engine, &wasm).expect("the filter gives memory to Envoy");
        let module = Module::new(&engine, metered(&wasm, Some(allocator))).expect("WebAssembly");
        (engine, module)
    });
    instantiate(engine, module, host).expect("the filter can be loaded")
}

fn instantiate(engine: &Engine, module: &Module, host: Host) -> Result<(Store<Host>, Instance), Error> {
    let mut store = Store::new(engine, host);
    store.set_fuel(FUEL)?;
    let mut linker = Linker::new(engine);
    calls::define(&mut linker, module);
    let instance = linker.instantiate_and_start(&mut store, module)?;
    Ok((store, instance))
}

/// Which of the filter's functions allocates. They have no names any more, but of those that are entered when Envoy asks for
/// memory, the allocator is by far the largest.
fn allocator(engine: &Engine, wasm: &[u8]) -> Result<i64, Error> {
    let module = Module::new(engine, metered(wasm, None))?;
    let (mut store, instance) = instantiate(engine, &module, Host::default())?;
    instance.get_typed_func::<(), ()>(&store, "_initialize")?.call(&mut store, ())?;
    let largest = instance.get_global(&store, LARGEST).expect("a counter");
    largest.set(&mut store, Val::I64(0)).expect("the counter can be set back");
    instance.get_typed_func::<u32, u32>(&store, "proxy_on_memory_allocate")?.call(&mut store, 8)?;
    let largest = largest.get(&store).i64().expect("a number");
    Ok(largest & i64::from(u32::MAX))
}
