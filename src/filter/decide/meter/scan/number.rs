//! A number, digit by digit.

use super::super::found::Value;

/// A number so far.
#[derive(Clone, Copy, Default)]
pub struct Number {
    whole: u64,
    /// Behind the point.
    point: bool,
    /// Something other than zero is behind the point.
    above: bool,
    unusable: bool,
}

impl Number {
    /// Reads on. Its value, if it is over, and what is behind.
    pub fn read<'a>(&mut self, bytes: &'a [u8]) -> (Option<Value<'static>>, &'a [u8]) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            match byte {
                b'0'..=b'9' if self.point => self.above |= *byte != b'0',
                b'0'..=b'9' => {
                    let digit = u64::from(byte - b'0');
                    match self.whole.checked_mul(10).and_then(|tens| tens.checked_add(digit)) {
                        Some(whole) => self.whole = whole,
                        None => self.unusable = true,
                    }
                }
                b'.' => self.point = true,
                b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' => return (Some(self.value()), rest),
                _ => self.unusable = true,
            }
            rest = behind;
        }
        (None, rest)
    }

    const fn value(&self) -> Value<'static> {
        match (self.unusable, self.above) {
            (true, _) => Value::Unusable,
            (false, true) => Value::Above(self.whole),
            (false, false) => Value::Whole(self.whole),
        }
    }
}
