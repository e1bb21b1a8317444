//! What a browser brings back from the provider, in the query.

/// The answer of the provider's authorization endpoint. What is there twice isn't there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What was sent along.
    pub state: Option<String>,
    /// The code to be exchanged.
    pub code: Option<String>,
    /// The issuer that answers (RFC 9207).
    pub issuer: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same for people.
    pub description: Option<String>,
}

impl Answer {
    /// Reads the fields of a query.
    pub fn read<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut answer, mut twice) = (Self::default(), Vec::new());
        for (name, value) in fields {
            let place = match name {
                "state" => &mut answer.state,
                "code" => &mut answer.code,
                "iss" => &mut answer.issuer,
                "error" => &mut answer.error,
                "error_description" => &mut answer.description,
                _ => continue,
            };
            if place.replace(value.to_owned()).is_some() {
                twice.push(name);
            }
        }
        if twice.is_empty() { answer } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_field_twice_is_none() {
        let read = |fields: &[(&'static str, &'static str)]| Answer::read(fields.iter().copied());
        let answer = read(&[("state", "s"), ("code", "c"), ("iss", "i"), ("session_state", "x")]);
        assert_eq!((answer.state.as_deref(), answer.code.as_deref()), (Some("s"), Some("c")));
        assert_eq!(read(&[("state", "s"), ("code", "c"), ("code", "d")]), Answer::default());
    }
}
