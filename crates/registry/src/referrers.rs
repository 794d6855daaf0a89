//! What refers to a digest: signatures, reports, bills of materials.
//!
//! Fails closed: an answer that is missing, cut off or strange is an error, never an empty list,
//! because an empty list means "not signed".

use domain::{
    artifact::{Descriptor, Document, Malformed, digest_tag},
    ids::Digest,
};
use reqwest::StatusCode;

use crate::{
    client::{Client, content_type, next_cursor, pull},
    error::{Problem, RegistryError, Result},
    http::{read_body, success},
};

/// Most referrers of one digest; more are an error.
const MAX_REFERRERS: usize = 500;
/// Most pages of one list.
const MAX_PAGES: usize = 50;
/// Largest page.
const MAX_PAGE_BYTES: u64 = 4 * 1024 * 1024;

impl Client {
    /// Everything that refers to a digest, by the referrers API or, where the registry does not
    /// have it (404), by the fallback tag of the OCI distribution specification 1.1.
    pub async fn referrers(&self, repository: &str, digest: &Digest) -> Result<Vec<Descriptor>> {
        crate::client::check_repository(repository)?;
        let scope = pull(repository);
        let base = format!("/v2/{repository}/referrers/{digest}");
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        for page in 0..MAX_PAGES {
            let path = match &cursor {
                Some(query) => format!("{base}?{query}"),
                None => base.clone(),
            };
            let ask = self.get(&path, domain::artifact::media_types::OCI_INDEX, &scope);
            let response = self.connection.send(&ask).await?;
            if page == 0 && response.status() == StatusCode::NOT_FOUND {
                return self.fallback(repository, digest).await;
            }
            let response = success(response, "The list of what refers to this version")?;
            let next = next_cursor(response.headers(), cursor.as_deref())?;
            let kind = content_type(response.headers());
            let body = read_body(
                response,
                MAX_PAGE_BYTES,
                "The list of what refers to this version",
            )
            .await?;
            found.extend(read_index(&body, kind.as_deref())?);
            if found.len() > MAX_REFERRERS {
                return Err(too_many());
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
        Err(too_many())
    }

    async fn fallback(&self, repository: &str, digest: &Digest) -> Result<Vec<Descriptor>> {
        match self.manifest_at(repository, &digest_tag(digest)).await? {
            None => Ok(Vec::new()),
            Some((body, kind)) => {
                let found = read_index(&body, kind.as_deref())?;
                if found.len() > MAX_REFERRERS {
                    return Err(too_many());
                }
                Ok(found)
            }
        }
    }
}

fn too_many() -> RegistryError {
    RegistryError::new(Problem::TooLarge(
        "The list of what refers to this version".into(),
    ))
}

fn read_index(body: &[u8], content_type: Option<&str>) -> Result<Vec<Descriptor>> {
    match Document::parse(body, content_type)? {
        Document::Index(index) => Ok(index.manifests),
        Document::Manifest(_) => Err(Malformed::new(
            "The list of what refers to this version",
            "is a manifest where an index must be",
        )
        .into()),
    }
}
