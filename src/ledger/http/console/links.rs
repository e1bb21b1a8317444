//! Links from one page of the console to another.

use crate::http::pages::show::{Html, encoded, escaped};

impl Html {
    /// A link to a page of the console; the path's parts must be encoded.
    pub fn link(path: &str, text: impl AsRef<str>) -> Self {
        Self::trusted(format!("<a href=\"/console{}\">{}</a>", escaped(path), Self::text(text)))
    }

    /// A link to an account.
    pub fn account(id: &str) -> Self {
        Self::link(&format!("/accounts/{}", encoded(id)), id)
    }

    /// A link to a plan.
    pub fn plan(name: &str) -> Self {
        Self::link(&format!("/plans/{}", encoded(name)), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_others_stays_text() {
        let text =
            Html::link(&format!("/plans/{}", encoded("a\"/b")), "<img src=x onerror='1'>&").to_string();
        let expected =
            "<a href=\"/console/plans/a%22%2Fb\"><bdi>&lt;img src=x onerror=&#39;1&#39;&gt;&amp;</bdi></a>";
        assert_eq!(text, expected);
    }
}
