//! What the tests share: artifacts made of bytes, and a small pusher.
// Each test crate uses its part; a failing test is its own message.
#![allow(dead_code, clippy::unwrap_used)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{
    artifact::{TrustedKey, digest_tag, media_types},
    ids::Digest,
};
use p256::{
    ecdsa::{Signature, SigningKey, signature::Signer},
    pkcs8::{EncodePublicKey, LineEnding},
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// A tar archive (ustar) of some files.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, body) in files {
        let mut header = [0u8; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend(header);
        out.extend(*body);
        out.resize(out.len().div_ceil(512) * 512, 0);
    }
    out.extend([0; 1024]);
    out
}

/// The same bytes, compressed.
pub async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

/// A safetensors file with one BF16 tensor of so many elements.
pub fn safetensors(elements: usize) -> Vec<u8> {
    let header =
        json!({"w": {"dtype": "BF16", "shape": [elements], "data_offsets": [0, elements * 2]}})
            .to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.resize(out.len() + elements * 2, 7);
    out
}

/// A `config.json` of a small language model.
pub const CONFIG_JSON: &[u8] = br#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","num_hidden_layers":2,"hidden_size":64,
  "num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":4096,"torch_dtype":"bfloat16"}"#;

/// A model card.
pub const README: &[u8] =
    b"---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# A model\n";

/// An image configuration for Linux on x86-64.
pub fn image_config(command: &[&str]) -> Value {
    json!({"os": "linux", "architecture": "amd64", "created": "2026-01-02T03:04:05Z", "config": {"Cmd": command}})
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

pub fn trusted(name: &str, key: &SigningKey) -> TrustedKey {
    TrustedKey {
        name: name.into(),
        pem: key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap(),
    }
}

fn sign(key: &SigningKey, message: &[u8]) -> String {
    let signature: Signature = key.sign(message);
    STANDARD.encode(signature.to_der().as_bytes())
}

/// A cosign 3 bundle that signs a digest.
pub fn bundle(key: &SigningKey, digest: &Digest) -> Vec<u8> {
    let hex = digest.as_str().trim_start_matches("sha256:");
    let payload = json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "", "digest": {"sha256": hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {}})
    .to_string();
    let kind = "application/vnd.in-toto+json";
    let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    json!({"mediaType": media_types::SIGSTORE_BUNDLE, "verificationMaterial": {"publicKey": {"hint": "k"}},
        "dsseEnvelope": {"payload": STANDARD.encode(&payload), "payloadType": kind, "signatures": [{"sig": sign(key, message.as_bytes())}]}})
    .to_string()
    .into_bytes()
}

/// The payload and signature of cosign's older form.
pub fn simple_signing(key: &SigningKey, digest: &Digest) -> (Vec<u8>, String) {
    let payload = json!({"critical": {"identity": {"docker-reference": "r"}, "image": {"docker-manifest-digest": digest.as_str()},
        "type": "cosign container image signature"}, "optional": null})
    .to_string()
    .into_bytes();
    let signature = sign(key, &payload);
    (payload, signature)
}

/// A Trivy report with so many critical findings.
pub fn trivy(created: &str, critical: usize) -> Vec<u8> {
    let findings: Vec<Value> = (0..critical)
        .map(|n| json!({"VulnerabilityID": format!("CVE-2026-{n}"), "PkgName": "openssl", "InstalledVersion": "1", "FixedVersion": "2", "Severity": "CRITICAL"}))
        .collect();
    json!({"SchemaVersion": 2, "CreatedAt": created, "ArtifactType": "container_image",
        "Results": [{"Target": "debian", "Class": "os-pkgs", "Vulnerabilities": findings}]})
    .to_string()
    .into_bytes()
}

/// Pushes to a registry.
pub struct Pusher {
    http: reqwest::Client,
    pub url: String,
    pub username: String,
    pub password: String,
    /// Repository and digest of each manifest that was pushed.
    pushed: std::sync::Mutex<Vec<(String, Digest)>>,
}

impl Pusher {
    pub fn new(url: &str, username: &str, password: &str) -> Self {
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            url: url.trim_end_matches('/').to_owned(),
            username: username.into(),
            password: password.into(),
            pushed: std::sync::Mutex::default(),
        }
    }

    /// Takes away what was pushed, so that the world's catalogue stays as it was seeded. A test that
    /// fails leaves it behind, to be looked at.
    pub async fn clean(&self) {
        let pushed: Vec<(String, Digest)> = std::mem::take(&mut *self.pushed.lock().unwrap());
        for (repository, digest) in pushed {
            let url = format!("{}/v2/{repository}/manifests/{digest}", self.url);
            // The same content may have been pushed twice.
            let status = self
                .request(reqwest::Method::DELETE, &url)
                .send()
                .await
                .unwrap()
                .status();
            assert!(matches!(status.as_u16(), 202 | 404), "{status}");
        }
    }

    /// Takes away what an earlier run left in a repository.
    pub async fn empty(&self, repository: &str) {
        let url = format!("{}/v2/{repository}", self.url);
        let list = self
            .request(reqwest::Method::GET, &format!("{url}/tags/list"))
            .send()
            .await
            .unwrap();
        let list: Value = list.json().await.unwrap();
        for tag in list["tags"].as_array().into_iter().flatten() {
            let tag = tag.as_str().unwrap();
            let head = self
                .request(reqwest::Method::HEAD, &format!("{url}/manifests/{tag}"))
                .header(
                    "accept",
                    format!("{}, {}", media_types::OCI_MANIFEST, media_types::OCI_INDEX),
                )
                .send()
                .await
                .unwrap();
            if let Some(digest) = head.headers().get("docker-content-digest") {
                let digest: Digest = digest.to_str().unwrap().parse().unwrap();
                self.pushed
                    .lock()
                    .unwrap()
                    .push((repository.to_owned(), digest));
            }
        }
        self.clean().await;
    }

    fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, url)
            .basic_auth(&self.username, Some(&self.password))
    }

    /// Pushes a blob and describes it.
    pub async fn blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let start = self
            .request(
                reqwest::Method::POST,
                &format!("{}/v2/{repository}/blobs/uploads/", self.url),
            )
            .send()
            .await
            .unwrap();
        assert_eq!(start.status(), 202);
        let location = start.headers()["location"].to_str().unwrap();
        let location = url::Url::parse(&self.url).unwrap().join(location).unwrap();
        let separator = if location.query().is_some() { '&' } else { '?' };
        let put = self
            .request(
                reqwest::Method::PUT,
                &format!("{location}{separator}digest={digest}"),
            )
            .header("content-type", "application/octet-stream")
            .body(bytes.to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(put.status(), 201);
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()})
    }

    /// Pushes a manifest under a tag, or under its digest where there is none.
    pub async fn manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        media_type: &str,
        body: &Value,
    ) -> Digest {
        let bytes = body.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let reference = tag.unwrap_or(digest.as_str());
        let put = self
            .request(
                reqwest::Method::PUT,
                &format!("{}/v2/{repository}/manifests/{reference}", self.url),
            )
            .header("content-type", media_type)
            .body(bytes)
            .send()
            .await
            .unwrap();
        assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
        self.pushed
            .lock()
            .unwrap()
            .push((repository.to_owned(), digest.clone()));
        digest
    }

    /// Pushes an artifact of one configuration and some layers.
    pub async fn artifact(
        &self,
        repository: &str,
        tag: &str,
        config: (&str, &[u8]),
        layers: &[(&str, &[u8], Value)],
    ) -> Digest {
        let config = self.blob(repository, config.0, config.1).await;
        let mut descriptors = Vec::new();
        for (media_type, bytes, annotations) in layers {
            let mut descriptor = self.blob(repository, media_type, bytes).await;
            descriptor["annotations"] = annotations.clone();
            descriptors.push(descriptor);
        }
        let body = json!({"schemaVersion": 2, "mediaType": media_types::OCI_MANIFEST, "config": config, "layers": descriptors});
        self.manifest(repository, Some(tag), media_types::OCI_MANIFEST, &body)
            .await
    }

    /// Attaches a blob to a digest as a referrer, and keeps the fallback tag as clients must where
    /// the registry has no referrers API.
    pub async fn attach(
        &self,
        repository: &str,
        subject: &Digest,
        subject_size: usize,
        kind: &str,
        bytes: &[u8],
    ) {
        let config = self
            .blob(repository, "application/vnd.oci.empty.v1+json", b"{}")
            .await;
        let layer = self.blob(repository, kind, bytes).await;
        let body = json!({"schemaVersion": 2, "mediaType": media_types::OCI_MANIFEST, "artifactType": kind, "config": config, "layers": [layer],
            "subject": {"mediaType": media_types::OCI_MANIFEST, "digest": subject.as_str(), "size": subject_size}});
        let digest = self
            .manifest(repository, None, media_types::OCI_MANIFEST, &body)
            .await;
        let tag = digest_tag(subject);
        let old = self
            .request(
                reqwest::Method::GET,
                &format!("{}/v2/{repository}/manifests/{tag}", self.url),
            )
            .header("accept", media_types::OCI_INDEX)
            .send()
            .await
            .unwrap();
        let mut index = if old.status().is_success() {
            old.json().await.unwrap()
        } else {
            json!({"schemaVersion": 2, "mediaType": media_types::OCI_INDEX, "manifests": []})
        };
        index["manifests"].as_array_mut().unwrap().push(
            json!({"mediaType": media_types::OCI_MANIFEST, "digest": digest.as_str(), "size": body.to_string().len(), "artifactType": kind}),
        );
        self.manifest(repository, Some(&tag), media_types::OCI_INDEX, &index)
            .await;
    }
}
