use super::{FoundVersion, RegistryRow};
use async_trait::async_trait;
use domain::{Micros, Result, ids::Digest};

/// What a registry answered to a check.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RegistryInfo {
    /// `distribution`, `harbor`, or the server's own word
    pub product: String,
    pub catalog: bool,
    pub repositories_seen: usize,
}

/// The registries outside. Every call has a time limit and a size limit of its own.
#[async_trait]
pub trait Registries: Send + Sync {
    /// `password` in clear, only for this call.
    async fn validate(&self, row: &RegistryRow, password: Option<&str>) -> Result<RegistryInfo>;
    /// Repositories that the registry lists, a page at a time; empty cursor = first; `None` = the end.
    async fn repositories(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        after: Option<&str>,
    ) -> Result<(Vec<String>, Option<String>)>;
    /// All tags of a repository, bounded; an error when the list could not be read to its end.
    async fn tags(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
    ) -> Result<Vec<String>>;
    async fn resolve(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
        tag: &str,
    ) -> Result<Digest>;
    /// Everything about one digest.
    async fn inspect(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
        digest: &Digest,
        now: Micros,
    ) -> Result<FoundVersion>;
}
