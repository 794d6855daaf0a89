//! Acting as a person: the headers of impersonation, and what must never be in them.

use domain::person::ClusterIdentity;
use http::{HeaderMap, HeaderName, HeaderValue};

/// More groups than any provider sends in earnest.
const MAX_GROUPS: usize = 500;
const MAX_NAME: usize = 1024;

/// The headers that make the API server take a request as this person's.
///
/// Refused with the reason in words: an empty name (the API server would take the request as the
/// console's own), a name with blanks around it or control characters (HTTP trims the first, so
/// ` system:masters` would arrive as the reserved group), anything that begins with `system:`, and
/// too many groups.
pub(crate) fn headers(who: &ClusterIdentity) -> Result<HeaderMap, String> {
    if who.groups.len() > MAX_GROUPS {
        return Err(format!(
            "this account is in {} groups; the console passes at most {MAX_GROUPS} on to a cluster",
            who.groups.len()
        ));
    }
    let mut headers = HeaderMap::with_capacity(1 + who.groups.len());
    headers.insert(
        HeaderName::from_static("impersonate-user"),
        value(&who.user)?,
    );
    for group in &who.groups {
        headers.append(HeaderName::from_static("impersonate-group"), value(group)?);
    }
    Ok(headers)
}

fn value(name: &str) -> Result<HeaderValue, String> {
    if name.is_empty()
        || name.trim() != name
        || name.len() > MAX_NAME
        || name.chars().any(char::is_control)
    {
        return Err("this account or one of its groups has a name that cannot be used in a cluster (empty, too long, with blanks around it or control characters)".into());
    }
    if name.starts_with("system:") {
        return Err(format!(
            "the name `{name}` is reserved by Kubernetes; the console never acts under it"
        ));
    }
    HeaderValue::from_bytes(name.as_bytes()).map_err(|_| {
        "this account or one of its groups has a name that cannot be used in a cluster".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(user: &str, groups: &[&str]) -> ClusterIdentity {
        ClusterIdentity {
            user: user.into(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        }
    }

    #[test]
    fn a_person_and_their_groups_become_headers() {
        let h = headers(&who("oidc:ada", &["oidc:gh-ai", "oidc:größe"])).unwrap();
        assert_eq!(h["impersonate-user"], "oidc:ada");
        assert_eq!(h.get_all("impersonate-group").iter().count(), 2);
    }

    #[test]
    fn no_name_reaches_a_cluster_that_could_raise_rights() {
        for (user, groups) in [
            ("", &[][..]),
            (" ", &[]),
            ("system:admin", &[]),
            (" system:admin", &[]),
            ("ada", &["system:masters"]),
            ("ada", &[" system:masters"]),
            ("ada", &["\tsystem:masters"]),
            ("ada", &["\u{a0}system:masters"]),
            ("ada", &["x\r\nImpersonate-Group: system:masters"]),
            ("ada", &[""]),
        ] {
            assert!(headers(&who(user, groups)).is_err(), "{user:?} {groups:?}");
        }
        assert!(headers(&who("ada", &["g"; MAX_GROUPS + 1])).is_err());
    }
}
