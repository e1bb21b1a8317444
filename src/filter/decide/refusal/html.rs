//! A refusal as a page: readable in both colour schemes and by a screen reader, without a script.

use super::messages::Messages;
use crate::decide::base::text::joined;
use crate::decide::settings::texts::OTHERS;
use faregate_protocol::RefusalCode;

const STYLE: &str = ":root{color-scheme:light dark}body{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.5rem}\
h1{font-size:1.6rem;margin:0 0 1rem}a{color:LinkText}li{margin:.3rem 0}small{opacity:.7}";

/// Renders the page.
pub(super) fn page(status: u16, code: RefusalCode, messages: &Messages<'_>) -> String {
    let mut remedies = String::new();
    for remedy in &messages.remedies {
        let (label, url) = remedy.label(&messages.custom);
        let label = escaped(&label);
        let item = match url {
            Some(url) => joined(&["<li><a href=\"", &escaped(url), "\">", &label, "</a></li>"]),
            None => joined(&["<li>", &label, "</li>"]),
        };
        remedies.push_str(&item);
    }
    let (title, detail, number) = (escaped(&messages.title), escaped(&messages.detail), status.to_string());
    // The operator's own messages may run from right to left.
    // What is in no language that is known, is in the unknown one.
    let language = if messages.language == OTHERS { "" } else { messages.language };
    joined(&[
        "<!doctype html><html dir=\"auto\" lang=\"",
        language,
        "\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>",
        &title,
        "</title><style>",
        STYLE,
        "</style></head><body><main><h1>",
        &title,
        "</h1><p>",
        &detail,
        "</p><ul>",
        &remedies,
        "</ul><p><small>",
        &number,
        " ",
        code.as_str(),
        "</small></p></main></body></html>\n",
    ])
}

/// As text or in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::refusal::{Refusal, RequestContext, messages};
    use crate::decide::settings::Wording;

    #[test]
    fn texts_in_a_page_are_escaped() {
        let refusal = Refusal::plain(RefusalCode::QuotaExhausted);
        let wording = Wording::default();
        let messages = Messages {
            detail: "<script>\"a\" & 'b'".into(),
            ..messages::of(&refusal, &RequestContext::default(), &wording)
        };
        let page = page(402, RefusalCode::QuotaExhausted, &messages);
        assert!(page.contains("<p>&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;</p>"), "{page}");
    }
}
