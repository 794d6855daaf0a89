use async_trait::async_trait;
use domain::{Result, ids::AccountId, person::GroupSnapshot};

/// The OpenID provider, as far as use cases ask it.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Asks the provider now whether the account still exists and what its groups are (by refresh
    /// token). `Ok(None)`: the provider cannot be asked without the person (no session, no token).
    /// Errors: `Forbidden` when the provider says that the account may no longer; `Unavailable`.
    async fn refresh_groups(&self, account: AccountId) -> Result<Option<GroupSnapshot>>;
}
