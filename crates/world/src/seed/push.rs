//! Pushes artifacts to the registry, by the OCI distribution specification 1.1.

use super::artifact::{Artifact, descriptor, digest};
use crate::addresses::RegistryAddresses;
use crate::error::{Error, Result};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};
use std::time::Duration;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry to push to.
pub(super) struct Pusher<'a> {
    http: reqwest::Client,
    registry: &'a RegistryAddresses,
    base: Url,
}

impl<'a> Pusher<'a> {
    /// A pusher past any proxy.
    ///
    /// # Errors
    /// When the registry's address is none.
    pub(super) fn new(registry: &'a RegistryAddresses) -> Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(Error::other)?;
        Ok(Self {
            http,
            registry,
            base: Url::parse(&registry.direct_url).map_err(Error::other)?,
        })
    }

    /// Pushes blobs and manifest, sets the tags, and lists the artifact among its subject's
    /// referrers where the registry does not do that itself. Returns the digest.
    ///
    /// # Errors
    /// What the registry refused.
    pub(super) async fn push(&self, artifact: &Artifact, tags: &[&str]) -> Result<String> {
        let repository = &artifact.repository;
        for blob in &artifact.blobs {
            self.blob(repository, blob).await?;
        }
        let own = artifact.digest();
        let references = if tags.is_empty() {
            &[own.as_str()]
        } else {
            tags
        };
        let mut listed = true;
        for reference in references {
            let answer = self
                .manifest(
                    repository,
                    reference,
                    artifact.media_type,
                    &artifact.manifest,
                )
                .await?;
            listed = answer.headers().contains_key("oci-subject");
        }
        let manifest: Value = serde_json::from_slice(&artifact.manifest).map_err(Error::other)?;
        if let Some(subject) = manifest["subject"]["digest"].as_str()
            && !listed
        {
            let mut entry = descriptor(artifact.media_type, &artifact.manifest);
            entry["artifactType"] = manifest["artifactType"].clone();
            entry["annotations"] = manifest["annotations"].clone();
            self.list(repository, subject, entry).await?;
        }
        Ok(own)
    }

    fn url(&self, path: &str) -> Result<Url> {
        self.base.join(path).map_err(Error::other)
    }

    async fn send(&self, request: reqwest::RequestBuilder, what: &str) -> Result<Response> {
        let answer = request
            .basic_auth(&self.registry.username, Some(&self.registry.password))
            .send()
            .await
            .map_err(|e| Error::other(format!("registry: {what}: {e}")))?;
        if answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND {
            return Ok(answer);
        }
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        Err(Error::other(format!("registry: {what}: {status} {text}")))
    }

    async fn blob(&self, repository: &str, bytes: &[u8]) -> Result<()> {
        let digest = digest(bytes);
        let what = format!("pushing {digest} to {repository}");
        let there = self.url(&format!("/v2/{repository}/blobs/{digest}"))?;
        let head = self.send(self.http.head(there), &what).await?;
        if head.status().is_success() {
            return Ok(());
        }
        let begin = self.url(&format!("/v2/{repository}/blobs/uploads/"))?;
        let answer = self.send(self.http.post(begin), &what).await?;
        let location = answer
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| Error::other(format!("registry: {what}: no place to upload to")))?;
        let mut upload = self.url(location)?;
        upload.query_pairs_mut().append_pair("digest", &digest);
        let request = self
            .http
            .put(upload)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes.to_vec());
        self.send(request, &what).await?;
        Ok(())
    }

    async fn manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Response> {
        let url = self.url(&format!("/v2/{repository}/manifests/{reference}"))?;
        let request = self
            .http
            .put(url)
            .header(CONTENT_TYPE, media_type)
            .body(bytes.to_vec());
        let what = format!("pushing {repository}:{reference}");
        let answer = self.send(request, &what).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(Error::other(format!("registry: {what}: not found")));
        }
        Ok(answer)
    }

    /// Adds an entry to the list of referrers under the fallback tag `sha256-<hex>`.
    async fn list(&self, repository: &str, subject: &str, entry: Value) -> Result<()> {
        let tag = subject.replacen(':', "-", 1);
        let url = self.url(&format!("/v2/{repository}/manifests/{tag}"))?;
        let what = format!("listing what refers to {repository}@{subject}");
        let request = self.http.get(url).header("Accept", INDEX);
        let answer = self.send(request, &what).await?;
        let mut index = if answer.status() == StatusCode::NOT_FOUND {
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
        } else {
            answer.json().await.map_err(Error::other)?
        };
        let entries = index["manifests"]
            .as_array_mut()
            .ok_or_else(|| Error::other(format!("registry: {what}: the list is none")))?;
        if entries
            .iter()
            .all(|known| known["digest"] != entry["digest"])
        {
            entries.push(entry);
        }
        self.manifest(repository, &tag, INDEX, index.to_string().as_bytes())
            .await?;
        Ok(())
    }
}
