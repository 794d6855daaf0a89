//! Names of repositories and tags (OCI distribution specification 1.1, "Pulling manifests").

/// Longest repository name that is accepted; the specification asks clients to keep host and name
/// below 255.
const MAX_REPOSITORY: usize = 255;

/// Whether this is a repository name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, several of them joined
/// by slashes.
pub fn is_repository_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_REPOSITORY && name.split('/').all(is_component)
}

fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !alphanumeric(*first) || !alphanumeric(*last) {
        return false;
    }
    component
        .split(|c: char| c.is_ascii_digit() || c.is_ascii_lowercase())
        .filter(|separator| !separator.is_empty())
        .all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
        })
}

/// Whether this is a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
pub fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|b| word(*b))
        && bytes.iter().all(|b| word(*b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_specification() {
        for good in ["a", "models/llama-3.1", "a__b/c--d", "0/1"] {
            assert!(is_repository_name(good), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "A", "a..b", "a/../b", "a___b", "-a", "a b", "a?b", "é",
        ] {
            assert!(!is_repository_name(bad), "{bad}");
        }
        assert!(is_tag("v1.0-rc_1") && is_tag("_x"));
        for bad in ["", ".a", "-a", "a/b", "a:b", "a b", &"a".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
