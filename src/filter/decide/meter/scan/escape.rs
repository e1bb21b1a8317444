//! An escape in a JSON string, byte by byte.

/// What is behind a backslash, so far.
#[derive(Clone, Copy, Default)]
pub struct Escape {
    /// So many digits are to come. None: the letter is.
    digits: u8,
    /// The code unit so far.
    unit: u16,
}

/// What a byte makes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Escaped {
    /// More is to come.
    Begun,
    /// It is over, and stands for this UTF-16 code unit.
    Unit(u16),
    /// It is none. The byte doesn't belong to it.
    Broken,
}

impl Escape {
    /// Reads on.
    pub fn read(&mut self, byte: u8) -> Escaped {
        if self.digits == 0 {
            let unit = match byte {
                b'u' => {
                    (self.digits, self.unit) = (4, 0);
                    return Escaped::Begun;
                }
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                other => other,
            };
            return Escaped::Unit(u16::from(unit));
        }
        let Some(digit) = char::from(byte).to_digit(16) else { return Escaped::Broken };
        self.unit = self.unit << 4 | u16::try_from(digit).unwrap_or(0);
        self.digits -= 1;
        if self.digits == 0 { Escaped::Unit(self.unit) } else { Escaped::Begun }
    }
}
