//! Which kind of artifact a manifest is: this decides how it can be served.

use serde::{Deserialize, Serialize};

use super::{
    format::FileListing,
    image_config::ImageConfig,
    manifest::{Manifest, media_types},
};

/// What an artifact in a registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A container image that carries a model's files under `/models/` (a "modelcar").
    ModelImage,
    /// A container image that serves a model by itself: the server, with weights or a downloader.
    ServingImage,
    /// A CNCF ModelPack artifact.
    ModelPack,
    /// A KitOps ModelKit.
    KitOps,
    /// A model in Docker's own packaging.
    DockerModel,
    /// A container image in which no model was found.
    OtherImage,
    /// Something else, or an image of which too little could be read to say.
    Unknown,
}

impl ArtifactKind {
    /// Every kind, in the order in which filters list them.
    pub const ALL: [Self; 7] = [
        Self::ModelImage,
        Self::ServingImage,
        Self::ModelPack,
        Self::KitOps,
        Self::DockerModel,
        Self::OtherImage,
        Self::Unknown,
    ];

    /// The name in URLs, SQL and JSON: `model_image`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ModelImage => "model_image",
            Self::ServingImage => "serving_image",
            Self::ModelPack => "model_pack",
            Self::KitOps => "kit_ops",
            Self::DockerModel => "docker_model",
            Self::OtherImage => "other_image",
            Self::Unknown => "unknown",
        }
    }

    /// Reads [`Self::name`] back.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::ModelImage => "Model image",
            Self::ServingImage => "Serving image",
            Self::ModelPack => "ModelPack",
            Self::KitOps => "KitOps ModelKit",
            Self::DockerModel => "Docker model",
            Self::OtherImage => "Container image",
            Self::Unknown => "Unknown artifact",
        }
    }

    /// Whether this holds a model, as far as is known.
    pub fn holds_model(self) -> bool {
        !matches!(self, Self::OtherImage | Self::Unknown)
    }
}

/// Decides the kind from the manifest, the image configuration where there is one, and what is
/// known of the files in the layers.
pub fn detect(
    manifest: &Manifest,
    image: Option<&ImageConfig>,
    files: &FileListing,
) -> ArtifactKind {
    let declared = manifest.effective_type();
    let config = manifest.config.media_type.as_str();
    let starts = |prefix: &str| declared.starts_with(prefix) || config.starts_with(prefix);
    if starts("application/vnd.cncf.model.") {
        return ArtifactKind::ModelPack;
    }
    if starts("application/vnd.kitops.modelkit.") {
        return ArtifactKind::KitOps;
    }
    if starts("application/vnd.docker.ai.model.") {
        return ArtifactKind::DockerModel;
    }
    if !manifest.is_container_image() {
        return ArtifactKind::Unknown;
    }
    // Helm charts, signatures and the like sometimes borrow the image configuration's type; an
    // image has file system layers.
    if !manifest.layers.is_empty()
        && !manifest
            .layers
            .iter()
            .all(|l| is_file_system_layer(&l.media_type))
    {
        return ArtifactKind::Unknown;
    }
    let serves = image.and_then(ImageConfig::serving_hint).is_some();
    let carries = files
        .entries
        .iter()
        .any(|file| file.is_model_file() && file.path.starts_with("models/"));
    match (serves, carries) {
        (true, _) => ArtifactKind::ServingImage,
        (false, true) => ArtifactKind::ModelImage,
        (false, false) if files.complete => ArtifactKind::OtherImage,
        (false, false) => ArtifactKind::Unknown,
    }
}

/// Whether a layer is part of a container's file system.
fn is_file_system_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
        || media_type == media_types::OCI_CONFIG
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Document, FileEntry};

    fn manifest(config: &str, artifact_type: &str, layer: &str) -> Manifest {
        let digest = format!("sha256:{}", "a".repeat(64));
        let body = format!(
            r#"{{"schemaVersion":2,"artifactType":"{artifact_type}","config":{{"mediaType":"{config}","digest":"{digest}","size":2}},
               "layers":[{{"mediaType":"{layer}","digest":"{digest}","size":10}}]}}"#
        );
        match Document::parse(body.as_bytes(), None).unwrap() {
            Document::Manifest(m) => m,
            Document::Index(_) => panic!("not a manifest"),
        }
    }

    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    #[test]
    fn model_packagings_are_known_by_their_types() {
        let none = FileListing::default();
        for (config, artifact_type, kind) in [
            (
                media_types::MODELPACK_CONFIG,
                media_types::MODELPACK,
                ArtifactKind::ModelPack,
            ),
            (media_types::MODELPACK_CONFIG, "", ArtifactKind::ModelPack),
            (media_types::KITOPS_CONFIG, "", ArtifactKind::KitOps),
            (
                media_types::DOCKER_MODEL_CONFIG,
                "",
                ArtifactKind::DockerModel,
            ),
            (
                "application/vnd.docker.ai.model.config.v0.2+json",
                "",
                ArtifactKind::DockerModel,
            ),
            (
                "application/vnd.oci.empty.v1+json",
                "application/spdx+json",
                ArtifactKind::Unknown,
            ),
            (
                "application/vnd.cncf.helm.config.v1+json",
                "",
                ArtifactKind::Unknown,
            ),
        ] {
            assert_eq!(
                detect(&manifest(config, artifact_type, "x"), None, &none),
                kind,
                "{config}"
            );
        }
    }

    #[test]
    fn an_image_is_what_lies_in_it_and_what_it_starts() {
        let image = manifest(media_types::OCI_CONFIG, "", LAYER);
        let model = FileListing {
            entries: vec![FileEntry::new("models/model.safetensors", 10)],
            complete: true,
        };
        let elsewhere = FileListing {
            entries: vec![FileEntry::new("opt/model.safetensors", 10)],
            complete: true,
        };
        let server = ImageConfig {
            command: vec!["/usr/bin/tritonserver".into()],
            ..ImageConfig::default()
        };
        let plain = ImageConfig::default();
        assert_eq!(
            detect(&image, Some(&plain), &model),
            ArtifactKind::ModelImage
        );
        assert_eq!(
            detect(&image, Some(&server), &model),
            ArtifactKind::ServingImage
        );
        assert_eq!(
            detect(&image, Some(&plain), &elsewhere),
            ArtifactKind::OtherImage
        );
        assert_eq!(
            detect(&image, Some(&plain), &FileListing::default()),
            ArtifactKind::Unknown
        );
        let chart = manifest(
            media_types::OCI_CONFIG,
            "",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        );
        assert_eq!(detect(&chart, Some(&plain), &model), ArtifactKind::Unknown);
    }

    #[test]
    fn names_are_read_back() {
        for kind in ArtifactKind::ALL {
            assert_eq!(ArtifactKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(ArtifactKind::from_name("x"), None);
    }
}
