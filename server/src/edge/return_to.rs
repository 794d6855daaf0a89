//! Where a sign-in leads: a path of ours and nothing else.

/// Longest path that is kept.
const MAX: usize = 2000;
/// Leading there after a sign-in would only lead back.
const NOT_THERE: [&str; 5] = ["/signin", "/signout", "/signed-out", "/oidc/", "/events"];

/// The path if it stays here, else the overview. Refused are other hosts in every spelling that a
/// browser knows: `//host`, `/\host`, `https:…`, and what a URL parser drops (tab, line break).
pub fn local(path: &str) -> &str {
    if is_local(path) { path } else { "/" }
}

fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= MAX
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !path.starts_with("//")
        && !NOT_THERE.iter().any(|p| path.starts_with(p))
        // The browser's own reading has the last word.
        && url::Url::parse("https://here.invalid/").and_then(|base| base.join(path)).is_ok_and(|u| {
            u.host_str() == Some("here.invalid") && u.scheme() == "https" && u.port().is_none() && u.username().is_empty()
        })
}

/// `/signin` that leads back to this path.
pub fn sign_in(path: &str) -> String {
    with("/signin", path)
}

/// `page?return_to=path`, encoded; without it for the overview.
pub fn with(page: &str, path: &str) -> String {
    let path = local(path);
    if path == "/" {
        return page.to_owned();
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("return_to", path)
        .finish();
    format!("{page}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_links_survive() {
        for path in [
            "/",
            "/deployments/onprem-1/retail-prod/llama?tab=events#now",
            "/catalog?q=a%20b&after=x",
        ] {
            assert_eq!(local(path), path);
        }
        assert_eq!(sign_in("/a?b=c&d"), "/signin?return_to=%2Fa%3Fb%3Dc%26d");
    }

    #[test]
    fn open_redirects_do_not() {
        for path in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\r\nSet-Cookie: x",
            " //evil.example",
            "evil.example",
            "/signin?x",
            "/oidc/callback?code=1",
            "//evil.example/%2f..",
            "/\u{2215}evil",
        ] {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
