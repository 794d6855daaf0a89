//! Signatures in cosign's two formats, with the world's own keys.

use super::artifact::{Artifact, Signed, descriptor, to_bytes};
use crate::addresses::CosignKey;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey, EncodePublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
const PAYLOAD: &str = "application/vnd.in-toto+json";

/// What to push for a signature: a referrer, or a manifest under a tag of its own.
pub(super) enum Attached {
    Referrer(Artifact),
    Tagged { tag: String, artifact: Artifact },
}

/// The keys, ready to sign.
pub(super) struct Keys {
    trusted: SigningKey,
    stranger: SigningKey,
}

impl Keys {
    /// Reads the world's keys.
    ///
    /// # Errors
    /// When one is missing or is no P-256 key.
    pub(super) fn read(keys: &[CosignKey]) -> Result<Self> {
        let read = |trusted: bool| {
            let key = keys
                .iter()
                .find(|key| key.trusted == trusted)
                .ok_or_else(|| Error::other("the world has too few cosign keys"))?;
            let path = &key.private_key;
            let pem = std::fs::read_to_string(path).map_err(Error::file(path))?;
            SigningKey::from_pkcs8_pem(&pem)
                .map_err(|e| Error::other(format!("{}: {e}", path.display())))
        };
        Ok(Self {
            trusted: read(true)?,
            stranger: read(false)?,
        })
    }

    /// The signature that an artifact is to have. `host` is the registry's, for references.
    ///
    /// # Errors
    /// When a public key cannot be encoded.
    pub(super) fn sign(&self, artifact: &Artifact, host: &str) -> Result<Option<Attached>> {
        Ok(match artifact.signed {
            Signed::No => None,
            Signed::Bundle => Some(Attached::Referrer(bundle(&self.trusted, artifact)?)),
            Signed::Tag => Some(simple(&self.trusted, artifact, host)),
            Signed::Stranger => Some(simple(&self.stranger, artifact, host)),
        })
    }
}

/// An ECDSA signature in DER, base64. The nonce follows from key and message (RFC 6979).
fn signature(key: &SigningKey, message: &[u8]) -> String {
    let signature: Signature = key.sign(message);
    STANDARD.encode(signature.to_der().as_bytes())
}

/// Cosign before 3: a small document that names the digest, under the tag `sha256-….sig`.
fn simple(key: &SigningKey, artifact: &Artifact, host: &str) -> Attached {
    let digest = artifact.digest();
    let payload = to_bytes(&json!({
        "critical": {
            "identity": {"docker-reference": format!("{host}/{}", artifact.repository)},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    }));
    let annotations = json!({
        "dev.cosignproject.cosign/signature": signature(key, &payload),
    });
    let diff_id = descriptor("", &payload)["digest"].clone();
    let config = json!({
        "architecture": "", "os": "", "created": "0001-01-01T00:00:00Z", "config": {},
        "history": [{"created": "0001-01-01T00:00:00Z"}],
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    Attached::Tagged {
        tag: format!("{}.sig", digest.replacen(':', "-", 1)),
        artifact: Artifact::packaged(
            &artifact.repository,
            None,
            ("application/vnd.oci.image.config.v1+json", config),
            vec![(SIMPLE_SIGNING, payload, annotations)],
        ),
    }
}

/// Cosign 3: a sigstore bundle with a DSSE envelope around an in-toto statement, as a referrer.
fn bundle(key: &SigningKey, artifact: &Artifact) -> Result<Artifact> {
    let digest = artifact.digest();
    let hex = digest.trim_start_matches("sha256:");
    let statement = to_bytes(&json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hex}}],
        "predicateType": PREDICATE,
        "predicate": {},
    }));
    let mut message =
        format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), statement.len()).into_bytes();
    message.extend_from_slice(&statement);
    let public = key
        .verifying_key()
        .to_public_key_der()
        .map_err(Error::other)?;
    let blob: Value = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": STANDARD.encode(Sha256::digest(public.as_bytes()))},
        },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&statement),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": signature(key, &message)}],
        },
    });
    Ok(Artifact::referrer(
        artifact,
        BUNDLE,
        to_bytes(&blob),
        &json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": PREDICATE,
        }),
    ))
}
