//! Manifests and indexes of the OCI image specification 1.1 (and Docker's schema 2, which has the
//! same shape under other names).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::malformed::{Malformed, shown};
use crate::ids::Digest;

/// Largest manifest or index that is read: the limit that registries are advised to accept
/// (OCI distribution specification 1.1, "Pushing manifests").
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;
/// Most layers of a manifest, and most manifests of an index, that are read.
const MAX_DESCRIPTORS: usize = 2_000;
/// Most annotations of one object that are read.
const MAX_ANNOTATIONS: usize = 500;

/// Media types that several parts of this module compare with.
pub mod media_types {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A Docker schema 2 manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker schema 2 manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// An OCI container image's configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A Docker container image's configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A ModelPack (CNCF model specification) manifest's artifact type.
    pub const MODELPACK: &str = "application/vnd.cncf.model.manifest.v1+json";
    /// A ModelPack configuration.
    pub const MODELPACK_CONFIG: &str = "application/vnd.cncf.model.config.v1+json";
    /// A KitOps ModelKit configuration (the Kitfile as JSON).
    pub const KITOPS_CONFIG: &str = "application/vnd.kitops.modelkit.config.v1+json";
    /// A Docker model's configuration; later versions differ in the last part.
    pub const DOCKER_MODEL_CONFIG: &str = "application/vnd.docker.ai.model.config.v0.1+json";
    /// A sigstore bundle, as cosign 3 attaches it.
    pub const SIGSTORE_BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    /// The payload of cosign's older signatures.
    pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    /// A Trivy report in JSON, attached as a referrer.
    pub const TRIVY_REPORT: &str = "application/vnd.aquasec.trivy.report+json";
    /// A report in SARIF, attached as a referrer.
    pub const SARIF: &str = "application/sarif+json";
}

/// The tag under which the referrers fallback of the OCI distribution specification 1.1 keeps what
/// refers to a digest: `sha256-<hex>`. Cosign's older signatures lie under the same with `.sig`.
pub fn digest_tag(digest: &Digest) -> String {
    digest.as_str().replacen(':', "-", 1)
}

/// Where an image runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// CPU architecture, as Go names it: `amd64`, `arm64`.
    pub architecture: String,
    /// Operating system, as Go names it: `linux`.
    pub os: String,
    /// CPU variant: `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// `linux/amd64`, or `linux/arm64/v8`.
    pub fn label(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}/{}/{variant}", self.os, self.architecture),
            None => format!("{}/{}", self.os, self.architecture),
        }
    }

    /// Whether this says something: build tools mark attestations with `unknown/unknown`.
    pub fn is_known(&self) -> bool {
        self.os != "unknown" && self.architecture != "unknown" && !self.os.is_empty()
    }
}

/// A pointer to content: what it is, its digest and its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    #[serde(default)]
    pub media_type: String,
    /// Its content address.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// In an index: the artifact type of the manifest pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// In an index: where the image pointed to runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free key-value pairs.
    #[serde(
        default,
        deserialize_with = "null_as_empty",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// A manifest: one configuration and its layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Media type of the manifest itself, where it says so.
    #[serde(default)]
    pub media_type: String,
    /// What kind of artifact this is, where it is not a container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The content, in order.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// What this manifest refers to (a signature's or a report's image).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free key-value pairs.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An index: several manifests, by platform or as a list of referrers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Media type of the index itself, where it says so.
    #[serde(default)]
    pub media_type: String,
    /// What kind of artifact this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it lists.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub manifests: Vec<Descriptor>,
    /// Free key-value pairs.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What stands behind a tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "one is made for each artifact that is read, and none is kept"
)]
pub enum Document {
    /// One artifact.
    Manifest(Manifest),
    /// Several, to choose from.
    Index(Index),
}

/// Go writes an absent list or map as `null`.
fn null_as_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Only what tells the two kinds apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a manifest or an index. `content_type` is what the registry said it is, if it did.
    ///
    /// Refuses what could be read as both, and a body whose own media type contradicts the
    /// registry's (CVE-2021-41190: two clients must never see two different artifacts behind one
    /// digest).
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, Malformed> {
        let wrong = |problem: &str| Malformed::new("The manifest", problem);
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(wrong("is larger than 4 MiB"));
        }
        let shape: Shape = serde_json::from_slice(bytes).map_err(|e| {
            wrong(&format!(
                "is not a JSON object that can be read (near line {}, column {})",
                e.line(),
                e.column()
            ))
        })?;
        match shape.schema_version {
            Some(2) => {}
            Some(1) => {
                return Err(wrong(
                    "is of Docker's schema 1, which has been retired; push the image again with a current tool",
                ));
            }
            _ => return Err(wrong("has no schemaVersion 2")),
        }
        if shape.manifests.is_some() && (shape.layers.is_some() || shape.config.is_some()) {
            return Err(wrong(
                "lists both layers and manifests, so different tools would read it differently",
            ));
        }
        if let (Some(said), Some(own)) = (content_type, shape.media_type.as_deref()) {
            let said = said.split(';').next().unwrap_or(said).trim();
            if !own.is_empty() && said.starts_with("application/vnd.") && said != own {
                return Err(wrong(&format!(
                    "says it is {}, while the registry says {}",
                    shown(own, 100),
                    shown(said, 100)
                )));
            }
        }
        let document = if shape.manifests.is_some()
            || (shape.config.is_none()
                && matches!(
                    shape.media_type.as_deref().or(content_type),
                    Some(media_types::OCI_INDEX | media_types::DOCKER_INDEX)
                )) {
            Self::Index(read(bytes)?)
        } else if shape.config.is_some() {
            Self::Manifest(read(bytes)?)
        } else {
            return Err(wrong("has neither a config nor a list of manifests"));
        };
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<(), Malformed> {
        let wrong = |problem: String| Malformed::new("The manifest", problem);
        let (descriptors, annotations): (Vec<&Descriptor>, _) = match self {
            Self::Manifest(m) => (
                m.layers
                    .iter()
                    .chain([&m.config])
                    .chain(m.subject.as_ref())
                    .collect(),
                &m.annotations,
            ),
            Self::Index(i) => (i.manifests.iter().collect(), &i.annotations),
        };
        if descriptors.len() > MAX_DESCRIPTORS {
            return Err(wrong(format!("lists more than {MAX_DESCRIPTORS} parts")));
        }
        if annotations.len() > MAX_ANNOTATIONS
            || descriptors
                .iter()
                .any(|d| d.annotations.len() > MAX_ANNOTATIONS)
        {
            return Err(wrong(format!(
                "has more than {MAX_ANNOTATIONS} annotations"
            )));
        }
        if let Some(d) = descriptors.iter().find(|d| d.size > i64::MAX as u64) {
            return Err(wrong(format!(
                "gives {} an impossible size",
                d.digest.short()
            )));
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(bytes).map_err(|e| {
        Malformed::new(
            "The manifest",
            format!(
                "has a part that is not as the OCI image specification says (near line {}, column {})",
                e.line(),
                e.column()
            ),
        )
    })
}

impl Manifest {
    /// What the manifest says it is: its artifact type, or its configuration's media type, as the
    /// specification lets older tools write it.
    pub fn effective_type(&self) -> &str {
        self.artifact_type
            .as_deref()
            .filter(|t| !t.is_empty())
            .unwrap_or(&self.config.media_type)
    }

    /// Whether this is a container image.
    pub fn is_container_image(&self) -> bool {
        matches!(
            self.config.media_type.as_str(),
            media_types::OCI_CONFIG | media_types::DOCKER_CONFIG
        ) && self
            .artifact_type
            .as_deref()
            .is_none_or(|t| t.is_empty() || t == media_types::OCI_CONFIG)
    }

    /// Sum of the layers' sizes as stored (compressed where they are), in bytes.
    pub fn layers_size(&self) -> u64 {
        self.layers
            .iter()
            .fold(0u64, |sum, layer| sum.saturating_add(layer.size))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(c: char) -> String {
        format!("sha256:{}", c.to_string().repeat(64))
    }

    fn manifest_json() -> String {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},
               "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":10,"annotations":null}}]}}"#,
            media_types::OCI_MANIFEST,
            media_types::OCI_CONFIG,
            digest('a'),
            digest('b')
        )
    }

    #[test]
    fn an_image_manifest_is_read() {
        let Document::Manifest(m) =
            Document::parse(manifest_json().as_bytes(), Some(media_types::OCI_MANIFEST)).unwrap()
        else {
            panic!("not a manifest")
        };
        assert!(m.is_container_image());
        assert_eq!(m.layers_size(), 10);
    }

    #[test]
    fn what_two_clients_could_read_differently_is_refused() {
        let both = manifest_json().replacen("\"layers\"", "\"manifests\":[],\"layers\"", 1);
        let error = Document::parse(both.as_bytes(), None).unwrap_err();
        assert!(
            error.to_string().contains("both layers and manifests"),
            "{error}"
        );
        let error =
            Document::parse(manifest_json().as_bytes(), Some(media_types::OCI_INDEX)).unwrap_err();
        assert!(
            error.to_string().contains("while the registry says"),
            "{error}"
        );
    }

    #[test]
    fn nonsense_is_answered_with_words() {
        for (body, word) in [
            ("", "JSON"),
            ("[]", "JSON"),
            ("{}", "schemaVersion"),
            (r#"{"schemaVersion":1}"#, "retired"),
            (r#"{"schemaVersion":2}"#, "neither"),
            (
                r#"{"schemaVersion":2,"config":{"digest":"latest","size":1}}"#,
                "specification",
            ),
            (
                r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:00","size":1}]}"#,
                "specification",
            ),
        ] {
            let error = Document::parse(body.as_bytes(), None).unwrap_err();
            assert!(error.to_string().contains(word), "{body}: {error}");
        }
        let negative = manifest_json().replace("\"size\":10", "\"size\":-1");
        assert!(Document::parse(negative.as_bytes(), None).is_err());
        let huge = manifest_json().replace("\"size\":10", "\"size\":18446744073709551615");
        assert!(Document::parse(huge.as_bytes(), None).is_err());
        assert!(Document::parse(&vec![b' '; MAX_MANIFEST_BYTES + 1], None).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = Document::parse(&bytes, None);
        }
    }
}
