//! Reads a page of OpenMetrics: families with their kind, and samples with their labels.
//!
//! Only what the ledger itself writes is read: no timestamps, no exemplars. A line that is none of it is skipped.

/// Samples of one name, one behind the other on the page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Family<'a> {
    /// Its name, without the suffix of its samples.
    pub name: &'a str,
    /// Its kind: counter, gauge, histogram, info.
    pub kind: &'a str,
    /// What it counts.
    pub help: &'a str,
    /// Its samples.
    pub samples: Vec<Sample<'a>>,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// What is behind the family's name, such as `_total`.
    pub suffix: &'a str,
    /// The labels.
    pub labels: Vec<(&'a str, String)>,
    /// The value.
    pub value: &'a str,
}

/// The families of a page.
pub fn families(page: &str) -> Vec<Family<'_>> {
    let mut found: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap_or((rest, ""));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let help = if help.0 == name { help.1 } else { "" };
            found.push(Family { name, kind, help, samples: Vec::new() });
        } else if !line.starts_with('#')
            && let Some(family) = found.last_mut()
            && let Some(sample) = sample(line, family.name)
        {
            family.samples.push(sample);
        }
    }
    found
}

fn sample<'a>(line: &'a str, family: &str) -> Option<Sample<'a>> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (head, ""),
    };
    Some(Sample { suffix: name.strip_prefix(family)?, labels: read(labels)?, value })
}

/// Labels: `a="b",c="d"`.
fn read(mut rest: &str) -> Option<Vec<(&str, String)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        found.push((name, value));
        rest = after.get(end.saturating_add(1)..)?.trim_start_matches(',');
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_its_labels() {
        let page = "# HELP a_b Things, many.\n# TYPE a_b counter\na_b_total{x=\"1\",y=\"a \\\"b\\\\\\n}\"} 5\na_b_total 6\n\
                    # HELP c C.\n# TYPE c gauge\nc 2.5\nother 1\n# EOF\n";
        let found = families(page);
        let sample = |suffix, labels: &[(&'static str, &str)], value| Sample {
            suffix,
            labels: labels.iter().map(|(name, text)| (*name, (*text).to_owned())).collect(),
            value,
        };
        let counter = [sample("_total", &[("x", "1"), ("y", "a \"b\\\n}")], "5"), sample("_total", &[], "6")];
        assert_eq!(
            found[0],
            Family { name: "a_b", kind: "counter", help: "Things, many.", samples: counter.into() }
        );
        assert_eq!(
            (found[1].kind, found[1].samples.as_slice()),
            ("gauge", [sample("", &[], "2.5")].as_slice())
        );
    }
}
