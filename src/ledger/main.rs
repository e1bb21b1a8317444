//! The `faregate` command: the ledger's process, its administration, and a whole gate for trying out.
//!
//! Only the command line lives here (`cli`); what it starts is the library `faregate_ledger`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
