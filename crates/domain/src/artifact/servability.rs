//! How an artifact can be served by a cluster's KServe, or why it cannot and what to do about it.
//!
//! The rules are those of KServe 0.20 for `oci://` (a sidecar that links `/models` in; on by
//! `enableModelcar`), `oci+native://` (an image volume; Kubernetes ≥ 1.33) and `oci+fetch://` (an
//! init container; needs `enableOciModelSupport`), with `ociModelMode` deciding what a bare
//! `oci://` means, and of the prefixes that ClusterStorageContainers add.

use serde::{Deserialize, Serialize};

use super::{facts::ModelFacts, kind::ArtifactKind, packed::model_artifact};
use crate::{ids::Digest, observed::ClusterFacts};

/// Where an artifact lies: host (with port), repository and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactAddress {
    /// `registry.example.org:5000`
    pub host: String,
    /// `models/llama`
    pub repository: String,
    /// The digest; addresses are always pinned.
    pub digest: Digest,
}

impl ArtifactAddress {
    /// The image reference: `host/repository@sha256:…`.
    pub fn reference(&self) -> String {
        format!(
            "{}/{}@{}",
            self.host.trim_end_matches('/'),
            self.repository,
            self.digest
        )
    }
}

/// By which mechanism a model gets into the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `oci://`
    Oci,
    /// `oci+native://`
    OciNative,
    /// `oci+fetch://`
    OciFetch,
    /// The image is the server: its own runtime, or `predictor.containers`.
    ServingImage,
    /// A ClusterStorageContainer of the cluster handles it.
    StorageContainer,
}

/// One way that works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The mechanism.
    pub scheme: Scheme,
    /// What stands in `storageUri`; for a serving image, the image reference.
    pub uri: String,
    /// Formats to look for among the runtimes, best first; empty where any or none is needed.
    pub formats: Vec<String>,
    /// What it does, in a sentence.
    pub how: String,
    /// What it needs or costs, each in a sentence.
    pub needs: Vec<String>,
}

/// What to do where nothing works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayOut {
    /// In a sentence.
    pub text: String,
    /// Something to copy: a Dockerfile, a setting.
    pub snippet: Option<String>,
}

/// Why one way does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The mechanism, where it is about one.
    pub scheme: Option<Scheme>,
    /// Why not, in a sentence.
    pub reason: String,
    /// What to do.
    pub way_out: Option<WayOut>,
}

/// How an artifact can be served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Servability {
    /// Ways that work, best first.
    pub ways: Vec<Way>,
    /// Ways that do not, and why.
    pub obstacles: Vec<Obstacle>,
}

impl Servability {
    /// The best way.
    pub fn best(&self) -> Option<&Way> {
        self.ways.first()
    }

    pub(super) fn blocked(
        &mut self,
        scheme: Option<Scheme>,
        reason: impl Into<String>,
        way_out: Option<WayOut>,
    ) {
        self.obstacles.push(Obstacle {
            scheme,
            reason: reason.into(),
            way_out,
        });
    }
}

/// Decides how an artifact can be served by a cluster.
pub fn servability(
    address: &ArtifactAddress,
    kind: ArtifactKind,
    facts: &ModelFacts,
    cluster: &ClusterFacts,
) -> Servability {
    let mut result = Servability::default();
    match kind {
        ArtifactKind::ModelImage => model_image(&mut result, address, facts, cluster),
        ArtifactKind::ServingImage => serving_image(&mut result, address, facts),
        ArtifactKind::ModelPack | ArtifactKind::KitOps | ArtifactKind::DockerModel => {
            model_artifact(&mut result, address, kind, facts, cluster);
        }
        ArtifactKind::OtherImage | ArtifactKind::Unknown if facts.program.is_some() => {
            other_image(&mut result, address, facts);
        }
        ArtifactKind::OtherImage => result.blocked(
            None,
            "No model was found in this image: nothing lies under /models, and it starts no model server that we know.",
            Some(WayOut {
                text: "Put the model's files under /models in an image of its own.".into(),
                snippet: Some(dockerfile("COPY ./model/ /models/")),
            }),
        ),
        ArtifactKind::Unknown => result.blocked(
            None,
            "Too little could be read of this artifact to say what it is.",
            Some(WayOut {
                text: "Look at the notes on this version for what could not be read; if it holds a model, repack it as a model image.".into(),
                snippet: Some(dockerfile("COPY ./model/ /models/")),
            }),
        ),
    }
    result
}

fn model_image(
    result: &mut Servability,
    address: &ArtifactAddress,
    facts: &ModelFacts,
    cluster: &ClusterFacts,
) {
    let reference = address.reference();
    let formats = facts.runtime_formats.clone();
    if formats.is_empty() {
        result.obstacles.push(Obstacle {
            scheme: None,
            reason: "The files do not show which format this is, so a runtime cannot be proposed."
                .into(),
            way_out: Some(WayOut {
                text: "Choose a runtime of the cluster yourself.".into(),
                snippet: None,
            }),
        });
    }
    let way = |scheme, prefix: &str, how: &str, needs: Vec<String>| Way {
        scheme,
        uri: format!("{prefix}{reference}"),
        formats: formats.clone(),
        how: how.into(),
        needs,
    };
    let mode = cluster.oci_mode.as_deref().unwrap_or("modelcar");

    // Native first: no sidecar, no copy.
    match kubernetes(&cluster.kubernetes_version) {
        Some(version) if version >= (1, 33) => result.ways.push(way(
            Scheme::OciNative,
            "oci+native://",
            "The image is mounted as a volume; nothing is copied and no sidecar runs.",
            vec!["The container runtime of the nodes must support image volumes.".into()],
        )),
        Some((major, minor)) => result.blocked(
            Some(Scheme::OciNative),
            format!(
                "oci+native:// needs Kubernetes 1.33 or later; this cluster runs {major}.{minor}."
            ),
            None,
        ),
        None => result.blocked(
            Some(Scheme::OciNative),
            "The cluster's Kubernetes version is unknown, so oci+native:// cannot be promised.",
            None,
        ),
    }

    if cluster.modelcar == Some(false) && mode == "modelcar" {
        result.blocked(
            Some(Scheme::Oci),
            "oci:// is switched off in this cluster (enableModelcar is false).",
            Some(WayOut {
                text: "A platform engineer can switch it on in the ConfigMap inferenceservice-config, key storageInitializer.".into(),
                snippet: Some("\"enableModelcar\": true".into()),
            }),
        );
    } else {
        let (how, needs) = match mode {
            "native" => ("oci:// means an image volume in this cluster (ociModelMode is native).", Vec::new()),
            "fetch" => (
                "oci:// means that an init container copies the files in this cluster (ociModelMode is fetch).",
                vec!["The pod's disk must hold a copy of the model.".to_owned()],
            ),
            _ => (
                "A sidecar keeps the image open and its /models is linked into the server's container.",
                vec!["The image must have sh and ln in it, which an image made FROM scratch has not.".to_owned()],
            ),
        };
        let native_too_early =
            mode == "native" && kubernetes(&cluster.kubernetes_version).is_none_or(|v| v < (1, 33));
        if native_too_early {
            result.blocked(Some(Scheme::Oci), "oci:// means an image volume in this cluster, which needs Kubernetes 1.33 or later.", None);
        } else {
            result.ways.push(way(Scheme::Oci, "oci://", how, needs));
        }
    }

    if cluster.oci_fetch == Some(true) {
        result.ways.push(way(
            Scheme::OciFetch,
            "oci+fetch://",
            "An init container copies the files into the pod.",
            vec![
                "The pod's disk must hold a copy of the model.".into(),
                "Only the first image pull secret is used, and no other storage may be mixed in."
                    .into(),
            ],
        ));
    } else {
        result.blocked(
            Some(Scheme::OciFetch),
            "oci+fetch:// is switched off in this cluster (enableOciModelSupport is not true).",
            Some(WayOut {
                text: "A platform engineer can switch it on in the ConfigMap inferenceservice-config, key storageInitializer.".into(),
                snippet: Some("\"enableOciModelSupport\": true".into()),
            }),
        );
    }
}

fn serving_image(result: &mut Servability, address: &ArtifactAddress, facts: &ModelFacts) {
    let server = facts.server.as_deref().unwrap_or("a model server");
    let mut needs = vec![
        "Readiness, port and health path are the image's own; check them in the wizard.".to_owned(),
    ];
    if facts.size_bytes.is_none() {
        needs.push("The weights are not in the image or could not be seen: it may download them when it starts, which needs a secret and a way out of the cluster.".into());
    }
    result.ways.push(Way {
        scheme: Scheme::ServingImage,
        uri: address.reference(),
        formats: Vec::new(),
        how: format!("The image runs {server} itself: as predictor.containers, or as a ServingRuntime with this image."),
        needs,
    });
}

/// A predictor of somebody's own, such as KServe's SDK makes.
fn other_image(result: &mut Servability, address: &ArtifactAddress, facts: &ModelFacts) {
    let program = facts.program.as_deref().unwrap_or("a program");
    result.ways.push(Way {
        scheme: Scheme::ServingImage,
        uri: address.reference(),
        formats: Vec::new(),
        how: format!("The image starts {program} itself: as predictor.containers."),
        needs: vec![
            format!("{program} is no model server that we know: that it serves a model, and by which protocol, only whoever built the image can say."),
            "Readiness, port and health path are the image's own; check them in the wizard.".into(),
        ],
    });
}

/// A Dockerfile for a model image; `copy` is its COPY line.
pub(super) fn dockerfile(copy: &str) -> String {
    format!(
        "# sh and ln are needed by oci://; oci+native:// works without\nFROM docker.io/library/busybox:1.37\n{copy}\nUSER 65534\nCMD [\"sh\", \"-c\", \"sleep infinity\"]\n"
    )
}

/// Major and minor of a version such as `v1.34.4` or `1.33+`.
fn kubernetes(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim_start_matches('v').split('.');
    let major = parts.next()?.parse().ok()?;
    let minor: String = parts
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some((major, minor.parse().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn address() -> ArtifactAddress {
        ArtifactAddress {
            host: "registry:5000".into(),
            repository: "models/x".into(),
            digest: Digest::of(b"x"),
        }
    }

    pub fn cluster(version: &str) -> ClusterFacts {
        ClusterFacts {
            kubernetes_version: version.into(),
            modelcar: Some(true),
            ..ClusterFacts::default()
        }
    }

    pub fn schemes(kind: ArtifactKind, cluster: &ClusterFacts) -> Vec<Scheme> {
        servability(&address(), kind, &ModelFacts::default(), cluster)
            .ways
            .into_iter()
            .map(|w| w.scheme)
            .collect()
    }

    #[test]
    fn a_model_image_is_served_as_the_cluster_allows() {
        let image = ArtifactKind::ModelImage;
        assert_eq!(
            schemes(image, &cluster("v1.34.4")),
            [Scheme::OciNative, Scheme::Oci]
        );
        assert_eq!(schemes(image, &cluster("v1.32.9")), [Scheme::Oci]);
        assert_eq!(schemes(image, &cluster("")), [Scheme::Oci]);
        let fetch = ClusterFacts {
            oci_fetch: Some(true),
            modelcar: Some(false),
            ..cluster("1.32+")
        };
        assert_eq!(schemes(image, &fetch), [Scheme::OciFetch]);
        let none = ClusterFacts {
            modelcar: Some(false),
            ..cluster("1.32")
        };
        let result = servability(&address(), image, &ModelFacts::default(), &none);
        assert!(result.ways.is_empty());
        assert!(result.obstacles.iter().any(|o| {
            o.way_out
                .as_ref()
                .is_some_and(|w| w.text.contains("inferenceservice-config"))
        }));
        let native = ClusterFacts {
            oci_mode: Some("native".into()),
            ..cluster("1.32")
        };
        assert!(schemes(image, &native).is_empty());
    }

    #[test]
    fn addresses_are_pinned_by_digest() {
        for way in servability(
            &address(),
            ArtifactKind::ModelImage,
            &ModelFacts::default(),
            &cluster("1.34"),
        )
        .ways
        {
            assert!(way.uri.ends_with(address().digest.as_str()), "{}", way.uri);
        }
    }

    #[test]
    fn an_image_that_starts_something_else_can_be_tried() {
        let facts = ModelFacts {
            program: Some("python".into()),
            ..ModelFacts::default()
        };
        for kind in [ArtifactKind::OtherImage, ArtifactKind::Unknown] {
            let result = servability(&address(), kind, &facts, &cluster("1.34"));
            let way = result.best().unwrap();
            assert_eq!(way.scheme, Scheme::ServingImage);
            assert!(way.needs[0].contains("python is no model server that we know"));
        }
    }

    #[test]
    fn other_kinds_are_answered() {
        assert_eq!(
            schemes(ArtifactKind::ServingImage, &cluster("1.34")),
            [Scheme::ServingImage]
        );
        for kind in [ArtifactKind::OtherImage, ArtifactKind::Unknown] {
            let result = servability(&address(), kind, &ModelFacts::default(), &cluster("1.34"));
            assert!(result.ways.is_empty() && !result.obstacles.is_empty());
        }
    }
}
