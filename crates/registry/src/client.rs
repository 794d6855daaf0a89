//! The calls that the catalogue needs of a registry.

use std::future::Future;

use domain::artifact::{Descriptor, Document, MAX_MANIFEST_BYTES, is_repository_name, is_tag};
use domain::ids::Digest;
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, LINK},
};
use serde::Deserialize;

use crate::{
    config::{Limits, RegistryConfig},
    error::{Problem, RegistryError, Result},
    http::{Ask, Connection, Transport, read_body, success},
};

/// Media types of manifests and indexes, as an `Accept` header.
pub(crate) const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// Largest page of tags or repositories.
const MAX_LIST_BYTES: u64 = 4 * 1024 * 1024;
/// Most pages of one list.
const MAX_PAGES: usize = 200;

/// A registry, ready to be asked.
pub struct Client {
    pub(crate) connection: Connection,
}

/// What a check of a registry found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// `harbor`, or `distribution` for every other registry.
    pub product: String,
    /// Whether it lists its repositories; many hosted ones do not.
    pub catalog: bool,
    /// Repositories on the first page of that list.
    pub repositories: usize,
    /// The connection is not encrypted although the registry is on another machine.
    pub in_clear: bool,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to give for the next page; `None` at the end. Opaque.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// A client for a registry. Nothing is called yet.
    ///
    /// # Errors
    /// When the address is none that a registry can have or that the policy allows.
    pub fn new(transport: &Transport, config: RegistryConfig) -> Result<Self> {
        Ok(Self {
            connection: Connection::new(transport, config)?,
        })
    }

    /// Host and port as image references write them.
    pub fn host(&self) -> String {
        let base = &self.connection.base;
        let host = base.host_str().unwrap_or_default();
        match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.connection.config.limits
    }

    /// Gives a call its time limit.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.limits().call, call)
            .await
            .unwrap_or_else(|_| Err(RegistryError::new(Problem::TimedOut)))
    }

    pub(crate) fn get<'a>(&self, path: &'a str, accept: &'a str, scope: &'a str) -> Ask<'a> {
        Ask {
            method: Method::GET,
            path,
            accept,
            range: None,
            scope,
            follow: false,
            timeout: Some(self.limits().request),
        }
    }

    /// Checks that this is a registry, that the credentials are right, and what it can do.
    pub async fn validate(&self) -> Result<Validated> {
        self.within(async {
            let (headers, body) = self
                .connection
                .fetch(&self.get("/v2/", "", ""), 1024 * 1024, "The registry")
                .await
                .map_err(|e| match e.problem {
                    Problem::NotFound(_) => RegistryError::new(Problem::NotARegistry(
                        "it has no /v2/ at this address".into(),
                    )),
                    _ => e,
                })?;
            let says_so = headers.contains_key("docker-distribution-api-version");
            if !says_so && serde_json::from_slice::<serde_json::Value>(&body).is_err() {
                return Err(RegistryError::new(Problem::NotARegistry(
                    "its answer at /v2/ is a page of something else".into(),
                )));
            }
            let (catalog, repositories) =
                match self.repositories_page(None, self.limits().page).await {
                    Ok(page) => (true, page.items.len()),
                    Err(e) if e.is_passing() => return Err(e),
                    Err(_) => (false, 0),
                };
            let base = &self.connection.base;
            Ok(Validated {
                product: if self.is_harbor().await {
                    "harbor"
                } else {
                    "distribution"
                }
                .into(),
                catalog,
                repositories,
                in_clear: base.scheme() == "http"
                    && !matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
            })
        })
        .await
    }

    /// Whether this is Harbor: its own API answers beside the registry's.
    async fn is_harbor(&self) -> bool {
        let ask = self.get("/api/v2.0/ping", "", "");
        matches!(self.connection.fetch(&ask, 1024, "Harbor's answer").await, Ok((_, body)) if body.starts_with(b"Pong"))
    }

    /// A page of the repositories, of at most `limit`, from behind `cursor`.
    pub async fn repositories(&self, cursor: Option<&str>, limit: usize) -> Result<Page<String>> {
        self.within(self.repositories_page(cursor, limit)).await
    }

    async fn repositories_page(&self, cursor: Option<&str>, limit: usize) -> Result<Page<String>> {
        let limit = limit.clamp(1, self.limits().page);
        let path = with_cursor("/v2/_catalog", cursor, limit)?;
        let ask = self.get(&path, "application/json", "registry:catalog:*");
        let (headers, body) = self
            .connection
            .fetch(&ask, MAX_LIST_BYTES, "The list of repositories")
            .await?;
        let list: Catalog = read_list(&body, "The list of repositories")?;
        let items = list.repositories.unwrap_or_default();
        Ok(Page {
            // A name that could not stand in a path is none that we ever ask for.
            items: items
                .into_iter()
                .filter(|name| is_repository_name(name))
                .collect(),
            next: next_cursor(&headers, cursor)?,
        })
    }

    /// A page of a repository's tags, of at most `limit`, from behind `cursor`.
    pub async fn tags(
        &self,
        repository: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>> {
        self.within(self.tags_page(repository, cursor, limit)).await
    }

    async fn tags_page(
        &self,
        repository: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>> {
        check_repository(repository)?;
        let path = with_cursor(&format!("/v2/{repository}/tags/list"), cursor, limit)?;
        let scope = pull(repository);
        let ask = self.get(&path, "application/json", &scope);
        let (headers, body) = self
            .connection
            .fetch(&ask, MAX_LIST_BYTES, "The repository")
            .await?;
        let list: Tags = read_list(&body, "The list of tags")?;
        Ok(Page {
            items: list
                .tags
                .unwrap_or_default()
                .into_iter()
                .filter(|tag| is_tag(tag))
                .collect(),
            next: next_cursor(&headers, cursor)?,
        })
    }

    /// All tags of a repository, without those that signatures and referrers are kept under.
    ///
    /// # Errors
    /// Also when the list is longer than the limit: half a list must never pass for a whole one.
    pub async fn all_tags(&self, repository: &str) -> Result<Vec<String>> {
        self.within(async {
            let mut tags = Vec::new();
            let mut cursor = None;
            for _ in 0..MAX_PAGES {
                let page = self.tags_page(repository, cursor.as_deref(), 1_000).await?;
                tags.extend(page.items.into_iter().filter(|tag| !is_attachment(tag)));
                if tags.len() > self.limits().tags {
                    break;
                }
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(tags),
                }
            }
            Err(RegistryError::new(Problem::TooLarge(format!(
                "The list of tags of {repository}"
            ))))
        })
        .await
    }

    /// The digest that a tag points to now.
    pub async fn resolve(&self, repository: &str, tag: &str) -> Result<Digest> {
        check_repository(repository)?;
        if !is_tag(tag) {
            return Err(RegistryError::new(Problem::NotFound(
                "a tag of this name".into(),
            )));
        }
        self.within(async {
            let path = format!("/v2/{repository}/manifests/{tag}");
            let scope = pull(repository);
            let ask = Ask {
                method: Method::HEAD,
                ..self.get(&path, MANIFESTS, &scope)
            };
            let response = success(self.connection.send(&ask).await?, "The tag")?;
            let header = response.headers().get("docker-content-digest");
            if let Some(digest) = header
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.parse().ok())
            {
                return Ok(digest);
            }
            // Registries should say it; where one does not, the bytes do.
            let (_, body) = self
                .connection
                .fetch(
                    &self.get(&path, MANIFESTS, &scope),
                    MAX_MANIFEST_BYTES as u64,
                    "The manifest",
                )
                .await?;
            Ok(Digest::of(&body))
        })
        .await
    }

    /// A manifest or index by digest: its bytes, checked, and what they say.
    pub async fn manifest(&self, repository: &str, digest: &Digest) -> Result<(Vec<u8>, Document)> {
        let (bytes, content_type) = self
            .manifest_at(repository, digest.as_str())
            .await?
            .ok_or_else(|| RegistryError::new(Problem::NotFound("the manifest".into())))?;
        if Digest::of(&bytes) != *digest {
            return Err(RegistryError::new(Problem::WrongDigest));
        }
        let document = Document::parse(&bytes, content_type.as_deref())?;
        Ok((bytes, document))
    }

    /// What stands at a tag or digest, with the content type; `None` when there is nothing.
    pub(crate) async fn manifest_at(
        &self,
        repository: &str,
        reference: &str,
    ) -> Result<Option<(Vec<u8>, Option<String>)>> {
        check_repository(repository)?;
        let path = format!("/v2/{repository}/manifests/{reference}");
        let scope = pull(repository);
        let response = self
            .connection
            .send(&self.get(&path, MANIFESTS, &scope))
            .await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let response = success(response, "The manifest")?;
        let content_type = content_type(response.headers());
        let body = read_body(response, MAX_MANIFEST_BYTES as u64, "The manifest").await?;
        Ok(Some((body, content_type)))
    }

    /// A small blob, whole and checked against its digest.
    pub async fn blob(
        &self,
        repository: &str,
        descriptor: &Descriptor,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>> {
        check_repository(repository)?;
        if descriptor.size > limit {
            return Err(RegistryError::new(Problem::TooLarge(what.into())));
        }
        let response = self
            .blob_response(repository, &descriptor.digest, None, what)
            .await?;
        let body = read_body(response, limit, what).await?;
        if Digest::of(&body) != descriptor.digest {
            return Err(RegistryError::new(Problem::WrongDigest));
        }
        Ok(body)
    }

    /// The answer to a request for a blob or a part of it; its body is still to be read.
    pub(crate) async fn blob_response(
        &self,
        repository: &str,
        digest: &Digest,
        range: Option<(u64, u64)>,
        what: &str,
    ) -> Result<Response> {
        let path = format!("/v2/{repository}/blobs/{digest}");
        let scope = pull(repository);
        let ask = Ask {
            range,
            follow: true,
            // Large blobs are read under the limits of the whole call and of silence.
            timeout: None,
            ..self.get(&path, "", &scope)
        };
        success(self.connection.send(&ask).await?, what)
    }
}

/// What a token must allow to read a repository.
pub(crate) fn pull(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

pub(crate) fn check_repository(repository: &str) -> Result<()> {
    if is_repository_name(repository) {
        Ok(())
    } else {
        Err(RegistryError::new(Problem::NotFound(
            "a repository of this name".into(),
        )))
    }
}

/// Whether a tag only holds what belongs to a digest: cosign's signatures, attestations and bills of
/// materials, and the referrers fallback.
fn is_attachment(tag: &str) -> bool {
    let Some(rest) = tag.strip_prefix("sha256-") else {
        return false;
    };
    let (hex, suffix) = rest.split_at_checked(64).unwrap_or((rest, "x"));
    hex.bytes().all(|b| b.is_ascii_hexdigit()) && matches!(suffix, "" | ".sig" | ".att" | ".sbom")
}

pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim().to_owned())
}

fn read_list<T: serde::de::DeserializeOwned>(body: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| {
        RegistryError::caused_by(
            Problem::Malformed(domain::artifact::Malformed::new(
                what,
                "is not JSON as the OCI distribution specification says",
            )),
            e,
        )
    })
}

/// A list's address. A cursor is the query of the `Link` that the registry gave.
fn with_cursor(path: &str, cursor: Option<&str>, limit: usize) -> Result<String> {
    let Some(cursor) = cursor else {
        return Ok(format!("{path}?n={limit}"));
    };
    let harmless =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>' | b'\\' | b'`');
    if cursor.is_empty() || cursor.len() > 2_000 || !cursor.bytes().all(harmless) {
        return Err(RegistryError::new(Problem::NotFound(
            "a page at this cursor".into(),
        )));
    }
    Ok(format!("{path}?{cursor}"))
}

/// The query of the next page's `Link`, when there is one. Only the query is taken, so that a
/// registry cannot send us elsewhere by it.
pub(crate) fn next_cursor(headers: &HeaderMap, current: Option<&str>) -> Result<Option<String>> {
    let Some(link) = headers.get(LINK) else {
        return Ok(None);
    };
    let wrong = || {
        RegistryError::new(Problem::Malformed(domain::artifact::Malformed::new(
            "The registry's list",
            "names a next page that cannot be read",
        )))
    };
    let text = link.to_str().map_err(|_| wrong())?;
    let next = text.split(',').find(|part| {
        let relation = part.split(';').skip(1).map(|p| p.trim().replace('"', ""));
        relation
            .into_iter()
            .any(|p| p.eq_ignore_ascii_case("rel=next"))
    });
    let Some(next) = next else {
        return Ok(None);
    };
    let address = next
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(address, _)| address)
        .ok_or_else(wrong)?;
    let query = address
        .split_once('?')
        .map(|(_, query)| query)
        .ok_or_else(wrong)?;
    // A page that names itself as the next one would never end.
    if query.is_empty() || current == Some(query) {
        return Err(wrong());
    }
    Ok(Some(query.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(link: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        headers
    }

    #[test]
    fn the_next_page_is_only_a_query() {
        let link = headers(r#"</v2/_catalog?last=b&n=2>; rel="next""#);
        assert_eq!(
            next_cursor(&link, None).unwrap().as_deref(),
            Some("last=b&n=2")
        );
        let link = headers(r#"<http://169.254.169.254/v2/_catalog?last=b>; rel=next"#);
        assert_eq!(next_cursor(&link, None).unwrap().as_deref(), Some("last=b"));
        assert!(next_cursor(&link, Some("last=b")).is_err());
        assert!(next_cursor(&headers("</v2/_catalog>; rel=next"), None).is_err());
        assert_eq!(
            next_cursor(&headers("</x?a>; rel=prev"), None).unwrap(),
            None
        );
        assert_eq!(next_cursor(&HeaderMap::new(), None).unwrap(), None);
    }

    #[test]
    fn a_cursor_cannot_leave_its_place() {
        assert!(with_cursor("/v2/_catalog", Some("last=b#x"), 1).is_err());
        assert!(with_cursor("/v2/_catalog", Some("a b"), 1).is_err());
        assert_eq!(
            with_cursor("/v2/_catalog", Some("last=b"), 1).unwrap(),
            "/v2/_catalog?last=b"
        );
    }

    #[test]
    fn tags_that_belong_to_digests_are_no_versions() {
        let hex = "a".repeat(64);
        for tag in [
            format!("sha256-{hex}"),
            format!("sha256-{hex}.sig"),
            format!("sha256-{hex}.att"),
        ] {
            assert!(is_attachment(&tag), "{tag}");
        }
        for tag in ["sha256-abc", "v1", "sha256-", &format!("sha256-{hex}-v1")] {
            assert!(!is_attachment(tag), "{tag}");
        }
    }
}
