//! What lies in the registry: manifests with their blobs, built in memory, the same each time.

use super::tar::Tar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Who signed an artifact, and in which of cosign's formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// Nobody.
    No,
    /// The trusted key; a bundle, as cosign 3 attaches it.
    Bundle,
    /// The trusted key; a `.sig` tag, as older cosign wrote it.
    Tag,
    /// A key that the console is not told to trust.
    Stranger,
}

/// Which vulnerability report is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// None.
    No,
    /// Recent, nothing found.
    Clean,
    /// Recent, nothing critical.
    Minor,
    /// Recent, with critical findings.
    Critical,
    /// Of last season.
    Stale,
}

/// One manifest and what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Artifact {
    pub(super) repository: String,
    /// Tags in the order in which they are set; none for what only an index names.
    pub(super) tags: Vec<&'static str>,
    pub(super) media_type: &'static str,
    pub(super) manifest: Vec<u8>,
    pub(super) blobs: Vec<Vec<u8>>,
    pub(super) signed: Signed,
    pub(super) scan: Scan,
}

/// `sha256:<hex>` of bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A descriptor of bytes.
pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

/// Serialises what `json!` made.
pub(super) fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

impl Artifact {
    fn new(repository: &str, media_type: &'static str, manifest: &Value) -> Self {
        Self {
            repository: repository.to_owned(),
            tags: Vec::new(),
            media_type,
            manifest: to_bytes(manifest),
            blobs: Vec::new(),
            signed: Signed::No,
            scan: Scan::No,
        }
    }

    /// Its digest.
    pub(super) fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// A container image of these layers; `inner` is the `config` part of its configuration.
    pub(super) fn image(
        repository: &str,
        architecture: &str,
        created: &str,
        inner: &Value,
        layers: Vec<Vec<u8>>,
    ) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let history: Vec<Value> = layers
            .iter()
            .map(|_| json!({"created": created, "created_by": "COPY models /models"}))
            .collect();
        let config = to_bytes(&json!({
            "created": created,
            "architecture": architecture,
            "os": "linux",
            "config": inner,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        }));
        let described: Vec<Value> = layers.iter().map(|l| descriptor(LAYER, l)).collect();
        // As builders do: what the labels say of the image, the manifest says too.
        let mut annotations = json!({"org.opencontainers.image.created": created});
        for part in ["title", "version", "licenses"] {
            let key = format!("org.opencontainers.image.{part}");
            if let Some(value) = inner["Labels"].get(&key) {
                annotations[&key] = value.clone();
            }
        }
        let mut image = Self::new(
            repository,
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(IMAGE_CONFIG, &config),
                "layers": described,
                "annotations": annotations,
            }),
        );
        image.blobs = layers;
        image.blobs.push(config);
        image
    }

    /// An index of images for several platforms.
    pub(super) fn index(repository: &str, images: &[(&str, &Self)]) -> Self {
        let manifests: Vec<Value> = images
            .iter()
            .map(|(architecture, image)| {
                let mut entry = descriptor(image.media_type, &image.manifest);
                entry["platform"] = json!({"os": "linux", "architecture": architecture});
                entry
            })
            .collect();
        Self::new(
            repository,
            INDEX,
            &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}),
        )
    }

    /// A model artifact that is no image: its configuration, and layers with media types and
    /// annotations.
    pub(super) fn packaged(
        repository: &str,
        artifact_type: Option<&str>,
        config: (&str, Value),
        layers: Vec<(&str, Vec<u8>, Value)>,
    ) -> Self {
        let bytes = to_bytes(&config.1);
        let described: Vec<Value> = layers
            .iter()
            .map(|(media_type, layer, annotations)| {
                let mut entry = descriptor(media_type, layer);
                if !annotations.is_null() {
                    entry["annotations"] = annotations.clone();
                }
                entry
            })
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(config.0, &bytes),
            "layers": described,
        });
        if let Some(artifact_type) = artifact_type {
            manifest["artifactType"] = json!(artifact_type);
        }
        let mut artifact = Self::new(repository, MANIFEST, &manifest);
        artifact.blobs = layers.into_iter().map(|(_, layer, _)| layer).collect();
        artifact.blobs.push(bytes);
        artifact
    }

    /// What refers to `subject`: one blob of a type of its own.
    pub(super) fn referrer(
        subject: &Self,
        artifact_type: &str,
        blob: Vec<u8>,
        annotations: &Value,
    ) -> Self {
        let empty = b"{}".to_vec();
        let mut referrer = Self::new(
            &subject.repository,
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": artifact_type,
                "config": descriptor("application/vnd.oci.empty.v1+json", &empty),
                "layers": [descriptor(artifact_type, &blob)],
                "subject": descriptor(subject.media_type, &subject.manifest),
                "annotations": annotations,
            }),
        );
        referrer.blobs = vec![empty, blob];
        referrer
    }

    /// Sets tags.
    pub(super) fn tagged(mut self, tags: &[&'static str]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    /// Has it signed.
    pub(super) fn signed(mut self, signed: Signed) -> Self {
        self.signed = signed;
        self
    }

    /// Has it scanned.
    pub(super) fn scanned(mut self, scan: Scan) -> Self {
        self.scan = scan;
        self
    }
}

/// A layer of whole files.
pub(super) fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Tar::default();
    for (path, content) in files {
        tar.file(path, content);
    }
    tar.finish()
}
