//! Metrics in Prometheus' own text format, made from OpenMetrics. Pure.
//!
//! The samples are the same in both. OpenMetrics names a counter's family without `_total` and an info's without `_info`, has types and lines
//! that the older format doesn't know, and ends with a mark; `promtool` and older scrapers read only the other one.

/// Rewrites a page of OpenMetrics.
pub fn classic(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, text)| text);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                out.extend(["# HELP ", name, suffix, " ", help, "\n"]);
            }
            out.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_as_their_samples() {
        let page = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total 1\n# HELP a Build.\n# TYPE a info\na_info{v=\"1\"} 1\n\
                    # HELP s How long.\n# TYPE s_seconds histogram\n# UNIT s_seconds seconds\ns_seconds_sum 2.0\n# EOF\n";
        assert_eq!(
            classic(page),
            "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total 1\n# HELP a_info Build.\n# TYPE a_info gauge\n\
             a_info{v=\"1\"} 1\n# HELP s_seconds How long.\n# TYPE s_seconds histogram\ns_seconds_sum 2.0\n"
        );
    }
}
