use super::NewRecord;
use async_trait::async_trait;
use domain::{Micros, Result, ids::*, person::*};

/// What the provider said of somebody at sign-in.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub issuer: String,
    pub subject: String,
    pub username: String,
    pub name: String,
    pub email: Option<String>,
    /// Value of the configured person claim: accounts with the same one are one person.
    pub person_key: Option<String>,
    pub groups: Vec<String>,
    pub at: Micros,
}

#[async_trait]
pub trait PeopleStore {
    /// Finds or makes the account (issuer + subject) and its person, and stores the group snapshot.
    /// `new_person` and `new_account` are used when they are new. Name, user name and e-mail are updated.
    /// Where the claim joins two persons, their open changes get another version and the log a record,
    /// `person.merge`, in the same transaction.
    async fn sign_in(
        &self,
        sign_in: &SignIn,
        new_person: PersonId,
        new_account: AccountId,
    ) -> Result<(Person, Account)>;
    async fn account(&self, id: AccountId) -> Result<Option<Account>>;
    async fn account_by_subject(&self, issuer: &str, subject: &str) -> Result<Option<Account>>;
    async fn person(&self, id: PersonId) -> Result<Option<Person>>;
    /// Names of several people at once, for lists.
    async fn person_names(
        &self,
        ids: &[PersonId],
    ) -> Result<std::collections::BTreeMap<PersonId, String>>;
    /// The newest snapshot of an account's groups.
    async fn groups(&self, account: AccountId) -> Result<Option<GroupSnapshot>>;
    async fn record_groups(
        &self,
        account: AccountId,
        snapshot: &GroupSnapshot,
        audit: &[NewRecord],
    ) -> Result<()>;
}
