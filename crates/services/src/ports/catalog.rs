use super::NewRecord;
use async_trait::async_trait;
use domain::{
    Micros, Result,
    artifact::{ArtifactKind, ModelFacts, PickleFact, ScanFact, SignatureFact},
    ids::*,
    page::Page,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A registry that the catalogue reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistryRow {
    pub id: RegistryId,
    pub name: String,
    pub url: String,
    pub username: Option<String>,
    /// Encrypted; never leaves the server.
    #[serde(skip)]
    pub secret: Option<Vec<u8>>,
    pub source: Source,
    pub rules: Vec<SyncRule>,
    pub sync_minutes: i32,
    /// Certificates (PEM) to trust besides the system's.
    pub ca_pem: Option<String>,
    /// The token of its notifications, encrypted; set by [`CatalogStore::registry_token`] alone.
    #[serde(skip)]
    pub notification_secret: Option<Vec<u8>>,
    pub version: i64,
    pub status: SyncStatus,
}

/// Where a setting comes from: the configuration file's are read-only in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    File,
    Console,
}

/// Which repositories and tags to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncRule {
    /// `models/llama`, `models/*` (one segment) or `models/**` (any depth).
    pub repository: String,
    #[serde(default)]
    pub tag: Option<TagFilter>,
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagFilter {
    Exact(String),
    Prefix(String),
    Regex(String),
}

/// How the last sync went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncStatus {
    pub running_since: Option<Micros>,
    pub done: i32,
    pub total: Option<i32>,
    pub last_success: Option<Micros>,
    pub last_error: Option<String>,
    pub last_error_at: Option<Micros>,
    /// Asked for by a person or a notification; `None` when nothing waits.
    pub wanted_since: Option<Micros>,
}

/// What a sync looks at again although it did so a short time ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// These repositories; none where nobody asked.
    Only(BTreeSet<String>),
}

impl Wanted {
    pub fn has(&self, repository: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(repository),
        }
    }
}

/// A version that is in the registry, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVersion {
    pub digest: Digest,
    /// The tags that point to it now.
    pub tags: Vec<String>,
}

/// A version as a sync found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundVersion {
    pub registry: RegistryId,
    pub repository: String,
    pub digest: Digest,
    pub tags: Vec<String>,
    pub kind: ArtifactKind,
    pub facts: ModelFacts,
    /// Markdown of the card, as in the artifact (not yet safe to show).
    pub card: Option<String>,
    pub created_at: Option<Micros>,
    pub platforms: Vec<String>,
    pub signature: SignatureFact,
    pub scan: Option<ScanFact>,
    pub pickle: Option<PickleFact>,
    pub observed_at: Micros,
}

/// A line of the catalogue: a model with its newest version's facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    pub id: ModelId,
    pub registry: RegistryId,
    pub registry_name: String,
    pub repository: String,
    pub name: String,
    pub versions: i32,
    pub latest: VersionRow,
}

/// A version as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRow {
    pub id: VersionId,
    pub model: ModelId,
    pub digest: Digest,
    pub tags: Vec<TagRow>,
    pub kind: ArtifactKind,
    pub facts: ModelFacts,
    pub created_at: Option<Micros>,
    pub first_seen: Micros,
    pub observed_at: Micros,
    /// It is no longer in the registry.
    pub gone_at: Option<Micros>,
    pub platforms: Vec<String>,
    pub signature: SignatureFact,
    pub scan: Option<ScanFact>,
    pub pickle: Option<PickleFact>,
}

/// A tag that points here, or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagRow {
    pub name: String,
    pub since: Micros,
    /// It points elsewhere since then: the tag moved.
    pub moved_at: Option<Micros>,
    pub moved_to: Option<Digest>,
    /// It pointed elsewhere before: the tag was moved to here.
    pub moved_from: Option<Digest>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogFilter {
    /// Words in name, repository, task or card.
    pub text: Option<String>,
    pub registries: Vec<RegistryId>,
    pub tasks: Vec<String>,
    pub formats: Vec<String>,
    pub licences: Vec<String>,
    pub kinds: Vec<ArtifactKind>,
    /// `verified`, `unsigned`, `untrusted`, `unknown`
    pub signatures: Vec<String>,
    /// `pass`, `fail`, `not-scannable`, `stale`, `unknown`
    pub scans: Vec<String>,
    pub sort: CatalogSort,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatalogSort {
    #[default]
    Name,
    Newest,
    Size,
    Parameters,
}

/// Values of a facet with how many models have them under the other filters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facets {
    pub tasks: Vec<(String, i64)>,
    pub formats: Vec<(String, i64)>,
    pub licences: Vec<(String, i64)>,
    pub kinds: Vec<(String, i64)>,
    pub signatures: Vec<(String, i64)>,
    pub scans: Vec<(String, i64)>,
    pub registries: Vec<(RegistryId, String, i64)>,
}

#[async_trait]
pub trait CatalogStore {
    async fn registries(&self) -> Result<Vec<RegistryRow>>;
    async fn registry(&self, id: RegistryId) -> Result<Option<RegistryRow>>;
    /// Inserts or replaces by name; file-sourced rows are kept in step with the file at start.
    async fn registry_put(
        &self,
        row: &RegistryRow,
        expected_version: Option<i64>,
        audit: &[NewRecord],
    ) -> Result<()>;
    async fn registry_delete(&self, id: RegistryId, audit: &[NewRecord]) -> Result<()>;
    /// Keeps the sealed token of its notifications; `false` when there is no such registry.
    async fn registry_token(
        &self,
        id: RegistryId,
        sealed: &[u8],
        audit: &[NewRecord],
    ) -> Result<bool>;
    /// Makes a sync due, one that looks at these repositories again (none: at all of them).
    async fn registry_want(
        &self,
        id: RegistryId,
        repositories: &[String],
        at: Micros,
    ) -> Result<()>;
    /// Begins a sync: from here on the registry is asked for anew. Answers what the sync looks at
    /// again; `None` when this owner does not have the lease.
    async fn registry_sync_start(
        &self,
        id: RegistryId,
        owner: &str,
        at: Micros,
    ) -> Result<Option<Wanted>>;
    /// What was asked for before this time is done.
    async fn registry_wanted_done(&self, id: RegistryId, before: Micros) -> Result<()>;
    /// Gives back the leases of all syncs of a worker that ends, and asks for them anew.
    async fn registry_release(&self, worker: &str) -> Result<()>;
    /// How the sync goes, but for what is wanted; one that no longer runs gives the lease back.
    /// `false`, and nothing is written, when this owner does not have the lease any more.
    async fn registry_status(
        &self,
        id: RegistryId,
        owner: &str,
        status: &SyncStatus,
    ) -> Result<bool>;
    /// Takes the sync of this registry for one worker; `false` when another runs.
    async fn registry_sync_lease(
        &self,
        id: RegistryId,
        owner: &str,
        now: Micros,
        until: Micros,
    ) -> Result<bool>;
    /// Writes one version, its tags and facts; moves tags. One transaction.
    async fn version_put(
        &self,
        found: &FoundVersion,
        new_model: ModelId,
        new_version: VersionId,
    ) -> Result<VersionId>;
    /// Known versions of a repository, to skip what has been inspected since `fresh_after`.
    async fn version_known(
        &self,
        registry: RegistryId,
        repository: &str,
        fresh_after: Micros,
    ) -> Result<Vec<KnownVersion>>;
    /// Repositories of a registry of which the catalogue has a version that is not gone.
    async fn version_repositories(&self, registry: RegistryId) -> Result<Vec<String>>;
    /// Marks tags and versions of a repository that a complete listing no longer had. Never called
    /// after an incomplete or failed listing: absence of an answer is no answer.
    async fn version_mark_gone(
        &self,
        registry: RegistryId,
        repository: &str,
        present: &[(String, Digest)],
        at: Micros,
    ) -> Result<u64>;
    async fn model_list(
        &self,
        filter: &CatalogFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<ModelRow>>;
    async fn model_facets(&self, filter: &CatalogFilter) -> Result<Facets>;
    async fn model(&self, id: ModelId) -> Result<Option<ModelRow>>;
    /// Newest first.
    async fn versions(
        &self,
        model: ModelId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<VersionRow>>;
    async fn version(&self, id: VersionId) -> Result<Option<(ModelRow, VersionRow)>>;
    async fn version_card(&self, id: VersionId) -> Result<Option<String>>;
    /// Versions with this digest, in any repository.
    async fn versions_by_digest(&self, digest: &Digest) -> Result<Vec<(ModelRow, VersionRow)>>;
}
