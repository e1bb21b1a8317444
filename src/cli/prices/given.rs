//! What is given on the command line: factors, and files of a limited size.

use faregate_client::Failure;
use faregate_protocol::Credits;
use std::io::Read as _;
use std::path::Path;

/// A factor above zero, in millionths.
pub fn factor(flag: &str, text: &str) -> Result<Credits, Failure> {
    let factor = Credits::parse(text).ok().filter(|factor| factor.is_positive());
    factor
        .ok_or_else(|| Failure::usage(format!("{flag}: {text:?} is no factor; give one above 0 such as 1.2")))
}

/// A file's text; `-` is standard input.
pub fn content(file: &Path, most: usize) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::new("io", format!("can't read {}: {error}", file.display()));
    let reader: Box<dyn std::io::Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut text = String::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(limit).read_to_string(&mut text).map_err(failed)?;
    if text.len() > most {
        return Err(Failure::new("too_large", format!("{} is larger than {most} bytes", file.display())));
    }
    Ok(text)
}
