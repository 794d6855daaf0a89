use leptos::prelude::*;

/// Words in which `code` stands between backticks, as messages of the domain have it.
pub fn ticked(text: &str) -> AnyView {
    // Without a partner a backtick is one.
    if !text.matches('`').count().is_multiple_of(2) {
        return text.to_owned().into_any();
    }
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(n, part)| {
            let part = part.to_owned();
            if n % 2 == 1 {
                view! { <code>{part}</code> }.into_any()
            } else {
                part.into_any()
            }
        })
        .collect_view()
        .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks() {
        let html = |text| ticked(text).to_html();
        assert!(html("write it like `32Gi`.").contains("<code>32Gi</code>"));
        assert!(html("`a` and `b`").matches("<code>").count() == 2);
        assert_eq!(html("a ` b").matches('`').count(), 1);
        assert!(html("<b>`<i>`").contains("&lt;b&gt;"));
    }
}
