//! Who can sign in: one account for each role, an approver for each business unit, and one
//! person with two accounts.

use crate::addresses::Account;

/// The password of every account; shown on the sign-in page.
pub const PASSWORD: &str = "gatehouse";

// login, name, role, groups, employee number
const ACCOUNTS: [(&str, &str, &str, &[&str], &str); 10] = [
    (
        "platform",
        "Priya Nair",
        "Platform engineer",
        &["gh-platform"],
        "1001",
    ),
    ("ai", "Tomás Rivera", "AI engineer", &["gh-ai"], "1002"),
    (
        "appdev",
        "Mei Chen",
        "Application developer",
        &["gh-appdev"],
        "1003",
    ),
    (
        "devops",
        "Jonas Weber",
        "DevOps engineer",
        &["gh-devops"],
        "1004",
    ),
    (
        "security",
        "Amara Okafor",
        "Security engineer",
        &["gh-security"],
        "1005",
    ),
    (
        "approver-retail",
        "Sofia Rossi",
        "Approver, retail",
        &["gh-approvers-retail"],
        "1006",
    ),
    (
        "approver-logistics",
        "Liam Murphy",
        "Approver, logistics",
        &["gh-approvers-logistics"],
        "1007",
    ),
    (
        "approver-research",
        "Yuki Tanaka",
        "Approver, research",
        &["gh-approvers-research"],
        "1008",
    ),
    ("auditor", "Ingrid Larsen", "Auditor", &["gh-audit"], "1009"),
    // The same person as `ai`: nobody approves their own request by a second account.
    (
        "ai-approver",
        "Tomás Rivera",
        "AI engineer's second account, approver of retail",
        &["gh-approvers-retail"],
        "1002",
    ),
];

/// All accounts.
pub fn all() -> Vec<Account> {
    ACCOUNTS
        .iter()
        .map(|(login, name, role, groups, employee)| Account {
            login: (*login).to_owned(),
            sub: subject(login),
            name: (*name).to_owned(),
            email: format!("{login}@example.com"),
            role: (*role).to_owned(),
            groups: groups.iter().map(ToString::to_string).collect(),
            employee_number: (*employee).to_owned(),
            password: PASSWORD.to_owned(),
        })
        .collect()
}

/// An opaque subject that is the same in every world and says nothing of the account.
fn subject(login: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("gatehouse world account {login}"));
    hex::encode(&digest[..12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn subjects_differ_and_one_person_has_two_accounts() {
        let accounts = all();
        let subjects: BTreeSet<_> = accounts.iter().map(|a| &a.sub).collect();
        assert_eq!(subjects.len(), accounts.len());
        let people: BTreeSet<_> = accounts.iter().map(|a| &a.employee_number).collect();
        assert_eq!(people.len(), accounts.len() - 1);
    }
}
