//! People, their accounts, and what their groups were when.

use crate::{ids::*, time::Micros};
use serde::{Deserialize, Serialize};

/// A human being. Four eyes are counted over people, never over accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    pub name: String,
}

/// One account at one provider, keyed on issuer and subject and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub person: PersonId,
    pub issuer: String,
    pub subject: String,
    /// What the provider calls the account; used to name a cluster's user, never as a key.
    pub username: String,
    pub name: String,
    pub email: Option<String>,
}

/// The groups of an account, from whom and when: a snapshot, never "the" groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    pub groups: Vec<String>,
    pub source: GroupSource,
    pub taken_at: Micros,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupSource {
    /// From the ID token at sign-in.
    SignIn,
    /// From the provider, by refresh token, later.
    Refresh,
}

/// As whom the console acts in one cluster: the person's rights, not its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    pub user: String,
    pub groups: Vec<String>,
}

impl ClusterIdentity {
    /// Maps an account to a cluster's names. Whatever a provider sends, nothing beginning with
    /// `system:` ever results: Kubernetes reserves that prefix for itself and its administrators.
    /// Errors: `Forbidden` when the user's own name is reserved or empty; reserved groups are refused too,
    /// so that a misconfigured provider is noticed and not half obeyed.
    pub fn map(
        username: &str,
        groups: &[String],
        user_prefix: &str,
        group_prefix: &str,
    ) -> crate::Result<Self> {
        let user = format!("{user_prefix}{username}");
        let groups: Vec<String> = groups
            .iter()
            .map(|g| format!("{group_prefix}{g}"))
            .collect();
        if username.is_empty() {
            return Err(crate::Error::forbidden(
                "this account has no user name that a cluster could know",
            ));
        }
        if let Some(bad) = std::iter::once(&user)
            .chain(&groups)
            .find(|n| n.starts_with("system:"))
        {
            return Err(crate::Error::forbidden(format!(
                "the provider's name `{}` would become `{}…` in the cluster, which Kubernetes reserves",
                bad.trim_start_matches(group_prefix),
                "system:"
            ))
            .remedy("Rename the group at the provider, or give the cluster a prefix in the configuration."));
        }
        Ok(Self { user, groups })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_never_reach_a_cluster() {
        assert!(ClusterIdentity::map("a", &["system:masters".into()], "", "").is_err());
        assert!(ClusterIdentity::map("system:admin", &[], "", "").is_err());
        assert!(ClusterIdentity::map("", &[], "oidc:", "oidc:").is_err());
        let ok = ClusterIdentity::map("ada", &["system:masters".into()], "oidc:", "oidc:")
            .expect("prefixed");
        assert_eq!(ok.groups, ["oidc:system:masters"]);
    }
}
