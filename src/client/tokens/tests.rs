use super::{ADMIN, from_environment};
use std::{collections::BTreeMap, ffi::OsString, io::Write};

fn token(variables: &[(&str, &str)]) -> Result<String, String> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    from_environment(ADMIN, &|name| variables.get(name).map(OsString::from)).map_err(|failure| {
        assert!(failure.cure.is_some(), "{failure} says nothing of what to do");
        failure.to_string()
    })
}

#[test]
fn a_token_is_read_from_a_variable_or_a_file() {
    assert_eq!(token(&[(ADMIN, "0123456789abcdef")]).unwrap(), "0123456789abcdef");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "fedcba9876543210").unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(token(&[("FAREGATE_ADMIN_TOKEN_FILE", path)]).unwrap(), "fedcba9876543210");
    for with_line_break in ["0123456789abcdef\n", "0123456789abcdef\r\n"] {
        assert_eq!(token(&[(ADMIN, with_line_break)]).unwrap(), "0123456789abcdef");
    }
}

#[test]
fn a_missing_token_is_an_error() {
    assert!(token(&[]).unwrap_err().contains("neither FAREGATE_ADMIN_TOKEN nor FAREGATE_ADMIN_TOKEN_FILE"));
}

#[test]
fn an_invalid_token_is_rejected_without_being_shown() {
    let both = [(ADMIN, "0123456789abcdef"), ("FAREGATE_ADMIN_TOKEN_FILE", "x")];
    assert!(token(&both).unwrap_err().contains("both"));
    for (wrong, why) in [
        ("", "no token"),
        ("\n", "no token"),
        ("secret", "at least 16"),
        (" 0123456789abcdef", "blanks"),
        ("0123456789abcdef\n\n", "blanks"),
        ("0123456789 abcdef", "blanks"),
        ("0123456789abcdéf", "header"),
    ] {
        let message = token(&[(ADMIN, wrong)]).unwrap_err();
        assert!(message.contains(why), "{message}");
        assert!(wrong.trim().is_empty() || !message.contains(wrong), "{message}");
    }
    assert!(
        token(&[("FAREGATE_ADMIN_TOKEN_FILE", "nowhere/at/all")]).unwrap_err().contains("nowhere/at/all")
    );
}
