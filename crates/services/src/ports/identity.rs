use async_trait::async_trait;
use domain::{Result, ids::AccountId, person::GroupSnapshot};

/// The OpenID provider, as far as use cases ask it.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Asks the provider now whether the account still exists and what its groups are (by refresh
    /// token of any of its sessions, over or not). `Ok(None)`: the provider cannot be asked without the
    /// person (no token, or its answer says nothing of groups).
    /// Errors: `Forbidden` when the provider says that the account may no longer; `Unavailable`.
    /// Dropping the future loses nothing: what was begun goes on.
    async fn refresh_groups(&self, account: AccountId) -> Result<Option<GroupSnapshot>>;
}
