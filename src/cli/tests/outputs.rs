//! All that people read goes through `src/client/terminal.rs`, which escapes what a terminal would act on: no other file that
//! ships writes to standard output or standard error.

use faregate_imports::{Token, Tree, shipped};
use std::path::Path;

/// The one that may.
const ROOM: (&str, &str) = ("client", "terminal.rs");

/// Ways to write past it.
fn ways(tokens: &[Token]) -> Vec<&str> {
    let macros = ["print", "println", "eprint", "eprintln", "dbg"];
    let printed =
        tokens.windows(2).filter(move |two| macros.iter().any(|name| two[0].is(name)) && two[1].is("!"));
    let printed = printed.filter_map(|two| two[0].word());
    let opened = tokens.windows(3).filter(|three| three[1].is("(") && three[2].is(")"));
    let opened =
        opened.filter_map(|three| three[0].word()).filter(|word| ["stdout", "stderr"].contains(word));
    let named = tokens.windows(3).filter(|three| three[0].is(":") && three[1].is(":"));
    let named = named.filter_map(|three| three[2].word()).filter(|word| ["stdout", "stderr"].contains(word));
    printed.chain(opened).chain(named).collect()
}

#[test]
fn nothing_is_printed_past_the_terminal_room() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for (folder, root) in [("cli", "main.rs"), ("client", "lib.rs"), ("demo", "lib.rs"), ("ledger", "lib.rs")]
    {
        let read = |name: &str| std::fs::read_to_string(src.join(folder).join(name)).ok();
        for (name, tokens) in Tree::read(root, &read).files() {
            seen += 1;
            let found = ways(tokens);
            assert!(
                (folder, name) == ROOM || found.is_empty(),
                "src/{folder}/{name} uses {found:?}: print through a `Screen`, or `terminal`'s functions"
            );
        }
    }
    assert!(seen > 100, "{seen} files were read");
}

#[test]
fn ways_past_the_room_are_recognized() {
    for way in [
        "println!(\"{x}\")",
        "dbg!(x)",
        "let mut out = std::io::stdout().lock();",
        "use std::io::stderr;",
        "with_writer(std::io::stderr)",
    ] {
        assert!(!ways(&shipped(&format!("fn f() {{ {way}; }}"))).is_empty(), "{way}");
    }
    for fine in
        ["screen.line(text)", "command.stdout(Stdio::piped())", "child.stderr.take()", "format!(\"{x}\")"]
    {
        assert_eq!(ways(&shipped(&format!("fn f() {{ {fine}; }}"))), [""; 0], "{fine}");
    }
}
