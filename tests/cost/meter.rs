//! Writes counters into the filter: each stretch of instructions that is run in one go adds its length to a global, and so
//! does each entry into one function in question.
//!
//! The interpreter's own measure, fuel, charges a whole block when it is entered, however early it is left. What the compiler
//! writes for `malloc` would always cost two thousand, of which a call runs a few dozen.

use crate::profile;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, GlobalSection, GlobalType, Instruction, Module,
    ValType,
};
use wasmparser::{ExportSectionReader, FunctionBody, GlobalSectionReader, Operator, Parser};

/// The global, an `i64`, that counts instructions.
pub const INSTRUCTIONS: &str = "instructions";
/// The global, an `i64`, that counts how often the function in question was entered.
pub const ENTRIES: &str = "entries";
/// The global, an `i64`, that holds the largest function that was entered: its size above its place in 32 bits.
pub const LARGEST: &str = "largest";
/// How many counters of all functions there are.
const OF_ALL: u32 = 3;

/// The module with counters. `entries` is the place of the function whose entries are counted, among those of the module.
pub fn metered(wasm: &[u8], entries: Option<i64>) -> Vec<u8> {
    let functions = if profile::is_wanted() { profile::functions(wasm) } else { 0 };
    let (mut module, mut meter) = (Module::new(), Meter { counters: 0, functions, bodies: 0, entries });
    meter.parse_core_module(&mut module, Parser::new(0), wasm).expect("the filter is WebAssembly");
    module.finish()
}

/// Copies a module and adds the counters on the way.
struct Meter {
    /// The first counter's number: they stand behind the module's own globals, none of which is imported.
    counters: u32,
    /// How many functions have counters of their own, behind the others.
    functions: u32,
    /// How many functions are copied.
    bodies: i64,
    entries: Option<i64>,
}

impl Reencode for Meter {
    type Error = std::convert::Infallible;

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: GlobalSectionReader<'_>,
    ) -> Result<(), Error> {
        self.counters = section.count();
        utils::parse_global_section(self, globals, section)?;
        for _ in 0..OF_ALL + self.functions {
            let kind = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
            globals.global(kind, &ConstExpr::i64_const(0));
        }
        Ok(())
    }

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        for (name, counter) in [INSTRUCTIONS, ENTRIES, LARGEST].into_iter().zip(self.counters..) {
            exports.export(name, ExportKind::Global, counter);
        }
        for function in 0..self.functions {
            let counter = self.counters + OF_ALL + function;
            exports.export(&profile::counter(function), ExportKind::Global, counter);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut reader = body.get_operators_reader()?;
        let (mut stretch, mut length) = (self.enter(body.range().len()), 0);
        while !reader.eof() {
            let operator = reader.read()?;
            length += i64::from(!is_mark(&operator));
            let ends = ends_stretch(&operator);
            stretch.push(self.instruction(operator)?);
            if ends {
                let own = self.add_to_function(length);
                self.add(0, length).iter().chain(&own).chain(&stretch).for_each(|instruction| {
                    function.instruction(instruction);
                });
                stretch.clear();
                length = 0;
            }
        }
        code.function(&function);
        Ok(())
    }
}

impl Meter {
    /// What the next function, of this many bytes, does first.
    fn enter(&mut self, size: usize) -> Vec<Instruction<'static>> {
        let place = self.bodies;
        self.bodies += 1;
        if let Some(entries) = self.entries {
            return self.add(1, i64::from(entries == place));
        }
        let largest = self.counters + 2;
        let this = (i64::try_from(size).expect("a size") << 32) | place;
        vec![
            Instruction::GlobalGet(largest),
            Instruction::I64Const(this),
            Instruction::GlobalGet(largest),
            Instruction::I64Const(this),
            Instruction::I64GtS,
            Instruction::Select,
            Instruction::GlobalSet(largest),
        ]
    }

    /// Adds to the counter of the function that is being copied, if it has one.
    fn add_to_function(&self, more: i64) -> Vec<Instruction<'static>> {
        match u32::try_from(self.bodies - 1) {
            Ok(function) if function < self.functions => self.add(OF_ALL + function, more),
            _ => Vec::new(),
        }
    }

    /// Adds to a counter.
    fn add(&self, counter: u32, more: i64) -> Vec<Instruction<'static>> {
        if more == 0 {
            return Vec::new();
        }
        let counter = self.counters + counter;
        vec![
            Instruction::GlobalGet(counter),
            Instruction::I64Const(more),
            Instruction::I64Add,
            Instruction::GlobalSet(counter),
        ]
    }
}

/// Whether the instruction only marks a place and does nothing.
fn is_mark(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Block { .. } | Operator::Loop { .. } | Operator::Else | Operator::End | Operator::Nop
    )
}

/// Whether what follows may be left out, or come from elsewhere.
fn ends_stretch(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{BlockType, Function, FunctionSection, TypeSection};
    use wasmi::{Engine, Linker, Store};

    /// A function that leaves a block at once if it is given a one, and else runs ten instructions more.
    fn module() -> Vec<u8> {
        let mut function = Function::new([]);
        function.instruction(&Instruction::Block(BlockType::Empty));
        function.instruction(&Instruction::LocalGet(0)).instruction(&Instruction::BrIf(0));
        for number in 0..5 {
            function.instruction(&Instruction::I32Const(number)).instruction(&Instruction::Drop);
        }
        function.instruction(&Instruction::End).instruction(&Instruction::End);
        let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
        types.ty().function([ValType::I32], []);
        functions.function(0);
        let (mut globals, mut exports, mut code) =
            (GlobalSection::new(), ExportSection::new(), CodeSection::new());
        globals.global(
            GlobalType { val_type: ValType::I32, mutable: true, shared: false },
            &ConstExpr::i32_const(0),
        );
        exports.export("run", ExportKind::Func, 0);
        code.function(&function);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&globals).section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn only_executed_instructions_are_counted() {
        let engine = Engine::default();
        let module = wasmi::Module::new(&engine, metered(&module(), Some(0))).expect("a module");
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("an instance");
        let run = instance.get_typed_func::<i32, ()>(&store, "run").expect("a function");
        let counters =
            [INSTRUCTIONS, ENTRIES].map(|name| instance.get_global(&store, name).expect("a counter"));
        let mut counts = |left_at_once| {
            run.call(&mut store, left_at_once).expect("it ends");
            counters.map(|counter| counter.get(&store).i64().expect("a number"))
        };
        assert_eq!(counts(1), [2, 1], "the argument is read, the block left");
        assert_eq!(counts(0), [2 + 12, 2], "all twelve are run");
    }
}
