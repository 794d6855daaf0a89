//! Model cards: markdown from strangers, made safe to show.

use ammonia::Builder;

/// The most of a card that is rendered, bytes; a card is prose, not a data set.
pub const MAX_CARD: usize = 256 * 1024;

/// Renders markdown (with tables, strikethrough, task lists and autolinks) to HTML that holds no
/// script, style, form, frame or handler, whose links open elsewhere without a referrer, and whose
/// images are dropped: a card must not make a reader's browser call a stranger's server.
pub fn render(markdown: &str) -> String {
    let mut end = markdown.len().min(MAX_CARD);
    while !markdown.is_char_boundary(end) {
        end -= 1;
    }
    let mut options = comrak::Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.autolink = true;
    options.render.r#unsafe = false;
    let html = comrak::markdown_to_html(&markdown[..end], &options);
    Builder::default()
        .rm_tags(["img", "map", "area"])
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer nofollow"))
        .clean(&html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_active_survives() {
        for hostile in [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "![x](https://tracker.example/p.png)",
            "<img src=x onerror=alert(1)>",
            "<a href='data:text/html,<script>1</script>'>x</a>",
            "<iframe src=//x></iframe><form action=//x><input></form>",
            "<p style='position:fixed' onclick=1>x</p>",
            "[x]: javascript:1\n[x]",
        ] {
            let html = render(hostile).to_lowercase();
            for bad in [
                "<script",
                "javascript:",
                "<img",
                "onerror",
                "data:text",
                "<iframe",
                "<form",
                "onclick",
                "style=",
            ] {
                assert!(!html.contains(bad), "{hostile:?} left {bad:?} in {html:?}");
            }
        }
    }

    #[test]
    fn prose_survives() {
        let html =
            render("# Llama\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[paper](https://example.org)");
        assert!(
            html.contains("<h1>Llama</h1>")
                && html.contains("<td>1</td>")
                && html.contains("rel=\"noopener noreferrer nofollow\"")
        );
    }

    #[test]
    fn a_huge_card_is_cut_at_a_character() {
        let _ = render(&"ü".repeat(MAX_CARD));
    }
}
