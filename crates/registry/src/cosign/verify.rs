//! Whether one signature counts: by its key, and by what it says it is about.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{artifact::TrustedKey, ids::Digest};
use serde::Deserialize;
use sha2::{Digest as _, Sha512};
use sigstore::crypto::{CosignVerificationKey, Signature};

/// Most signatures of one envelope that are looked at.
const MAX_SIGNATURES: usize = 64;
/// What a cosign 3 signature states (as opposed to an attestation signed with the same key).
const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// The trusted keys, ready to verify with.
pub(crate) struct Keys {
    pub(super) usable: Vec<(String, CosignVerificationKey)>,
    /// Names of keys that are not PEM of a kind that can be used.
    pub(super) broken: Vec<String>,
}

impl Keys {
    pub(crate) fn new(trusted: &[TrustedKey]) -> Self {
        let mut keys = Self {
            usable: Vec::new(),
            broken: Vec::new(),
        };
        for key in trusted {
            match CosignVerificationKey::try_from_pem(key.pem.trim().as_bytes()) {
                Ok(usable) => keys.usable.push((key.name.clone(), usable)),
                Err(_) => keys.broken.push(key.name.clone()),
            }
        }
        keys
    }

    /// The name of the first key that verifies.
    fn verify(&self, signature: &[u8], message: &[u8]) -> Option<&str> {
        self.usable
            .iter()
            .find(|(_, key)| {
                key.verify_signature(Signature::Raw(signature), message)
                    .is_ok()
                    || verifies_prehashed(key, signature, message)
            })
            .map(|(name, _)| name.as_str())
    }
}

/// Cosign signs with Ed25519 keys by Ed25519ph (RFC 8032, section 5.1: over the SHA-512 of the
/// message), which the sigstore library does not check.
fn verifies_prehashed(key: &CosignVerificationKey, signature: &[u8], message: &[u8]) -> bool {
    let CosignVerificationKey::ED25519(spki) = key else {
        return false;
    };
    // The key is the last 32 bytes of its DER form (RFC 8410, section 4).
    let verified = || {
        let bytes: &[u8; 32] = spki.last_chunk()?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        let hash = Sha512::new_with_prefix(message);
        key.verify_prehashed_strict(hash, None, &signature).ok()
    };
    verified().is_some()
}

/// What came of one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Verified with this key.
    Verified(String),
    /// A signature that does not count, and why.
    NotTrusted(&'static str),
    /// Signed by the same means, but no signature of the artifact: an attestation.
    SomethingElse,
}

const OTHER_KEY: &str = "the key that made it is not in the configuration.";
const OTHER_DIGEST: &str = "it is about another digest.";
const MALFORMED: &str = "it is not in a form that cosign writes.";
const KEYLESS: &str = "it was made with a certificate; only keys are trusted here.";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    #[serde(default)]
    verification_material: Option<Material>,
    #[serde(default)]
    dsse_envelope: Option<Envelope>,
    #[serde(default)]
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    public_key: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    signature: String,
}

/// An in-toto statement, as far as a signature needs it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(default)]
    subject: Vec<Subject>,
    #[serde(default)]
    predicate_type: String,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

/// Checks a sigstore bundle: a DSSE envelope around an in-toto statement about the digest, or a
/// signature over the manifest's bytes.
pub(super) fn verify_bundle(blob: &[u8], digest: &Digest, manifest: &[u8], keys: &Keys) -> Outcome {
    let Ok(bundle) = serde_json::from_slice::<Bundle>(blob) else {
        return Outcome::NotTrusted(MALFORMED);
    };
    let keyed = bundle
        .verification_material
        .as_ref()
        .is_some_and(|m| m.public_key.is_some());
    let failed = if keyed { OTHER_KEY } else { KEYLESS };
    if let Some(message) = bundle.message_signature {
        let Ok(signature) = STANDARD.decode(message.signature.as_bytes()) else {
            return Outcome::NotTrusted(MALFORMED);
        };
        return match keys.verify(&signature, manifest) {
            Some(key) => Outcome::Verified(key.to_owned()),
            None => Outcome::NotTrusted(failed),
        };
    }
    let Some(envelope) = bundle.dsse_envelope else {
        return Outcome::NotTrusted(MALFORMED);
    };
    let Ok(payload) = STANDARD.decode(envelope.payload.as_bytes()) else {
        return Outcome::NotTrusted(MALFORMED);
    };
    let Ok(statement) = serde_json::from_slice::<Statement>(&payload) else {
        return Outcome::NotTrusted(MALFORMED);
    };
    if statement.predicate_type != SIGN_PREDICATE {
        return Outcome::SomethingElse;
    }
    let message = pre_authentication(&envelope.payload_type, &payload);
    let key = envelope
        .signatures
        .iter()
        .take(MAX_SIGNATURES)
        .find_map(|entry| {
            let signature = STANDARD.decode(entry.sig.as_bytes()).ok()?;
            keys.verify(&signature, &message)
        });
    let Some(key) = key else {
        return Outcome::NotTrusted(failed);
    };
    let hex = digest.as_str().trim_start_matches("sha256:");
    let about_this = statement
        .subject
        .iter()
        .any(|s| s.digest.get("sha256").is_some_and(|d| d == hex));
    if about_this {
        Outcome::Verified(key.to_owned())
    } else {
        Outcome::NotTrusted(OTHER_DIGEST)
    }
}

/// What a DSSE signature is over ("PAE" of the DSSE protocol, version 1).
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[derive(Deserialize)]
struct SimpleSigning {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: CriticalImage,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct CriticalImage {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Checks a signature in cosign's older form: over a small JSON document that names the digest.
pub(super) fn verify_simple(
    payload: &[u8],
    signature: &str,
    digest: &Digest,
    keys: &Keys,
) -> Outcome {
    let Ok(document) = serde_json::from_slice::<SimpleSigning>(payload) else {
        return Outcome::NotTrusted(MALFORMED);
    };
    let Ok(signature) = STANDARD.decode(signature.trim().as_bytes()) else {
        return Outcome::NotTrusted(MALFORMED);
    };
    let Some(key) = keys.verify(&signature, payload) else {
        return Outcome::NotTrusted(OTHER_KEY);
    };
    if document.critical.kind != "cosign container image signature"
        && document.critical.kind != SIGN_PREDICATE
    {
        return Outcome::NotTrusted(MALFORMED);
    }
    if document.critical.image.digest == digest.as_str() {
        Outcome::Verified(key.to_owned())
    } else {
        Outcome::NotTrusted(OTHER_DIGEST)
    }
}

#[cfg(test)]
mod tests {
    use domain::artifact::media_types;
    use p256::{
        ecdsa::{Signature as P256Signature, SigningKey, signature::Signer},
        pkcs8::{EncodePublicKey, LineEnding},
    };
    use proptest::prelude::*;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).unwrap()
    }

    fn trusted(name: &str, key: &SigningKey) -> TrustedKey {
        let pem = key
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap();
        TrustedKey {
            name: name.into(),
            pem,
        }
    }

    fn sign(key: &SigningKey, message: &[u8]) -> String {
        let signature: P256Signature = key.sign(message);
        STANDARD.encode(signature.to_der().as_bytes())
    }

    fn bundle(key: &SigningKey, digest: &Digest, predicate: &str) -> Vec<u8> {
        let hex = digest.as_str().trim_start_matches("sha256:");
        let statement = serde_json::json!({"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": hex}}],
            "predicateType": predicate, "predicate": {}})
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let signature = sign(key, &pre_authentication(kind, statement.as_bytes()));
        serde_json::json!({"mediaType": media_types::SIGSTORE_BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}},
            "dsseEnvelope": {"payload": STANDARD.encode(&statement), "payloadType": kind, "signatures": [{"sig": signature}]}})
        .to_string()
        .into_bytes()
    }

    fn simple(key: &SigningKey, digest: &Digest) -> (Vec<u8>, String) {
        let payload = serde_json::json!({"critical": {"identity": {"docker-reference": "r"},
            "image": {"docker-manifest-digest": digest.as_str()}, "type": "cosign container image signature"}, "optional": null})
        .to_string()
        .into_bytes();
        let signature = sign(key, &payload);
        (payload, signature)
    }

    /// Signatures that cosign itself made (see `testdata/README.md`).
    #[test]
    fn what_cosign_writes_is_read() {
        const DIGEST: &str =
            "sha256:8dbb00592a68ccf586b95e314a9604657df5b00095962dd530ecd7a79a55f6a9";
        let digest: Digest = DIGEST.parse().unwrap();
        let payload = include_bytes!("../../testdata/cosign-3.1.3/payload.json");
        let signatures: serde_json::Value =
            serde_json::from_str(include_str!("../../testdata/cosign-3.1.3/signatures.json"))
                .unwrap();
        let made = [
            (
                "p256",
                include_str!("../../testdata/cosign-3.1.3/p256.pub"),
                &include_bytes!("../../testdata/cosign-3.1.3/p256.bundle.json")[..],
            ),
            (
                "rsa",
                include_str!("../../testdata/cosign-3.1.3/rsa.pub"),
                include_bytes!("../../testdata/cosign-3.1.3/rsa.bundle.json"),
            ),
            (
                "ed",
                include_str!("../../testdata/cosign-3.1.3/ed.pub"),
                include_bytes!("../../testdata/cosign-3.1.3/ed.bundle.json"),
            ),
        ];
        for (kind, pem, bundle) in made {
            let keys = Keys::new(&[TrustedKey {
                name: kind.into(),
                pem: pem.into(),
            }]);
            let signature = signatures[kind].as_str().unwrap();
            let verified = Outcome::Verified(kind.into());
            assert_eq!(
                verify_simple(payload, signature, &digest, &keys),
                verified,
                "{kind}"
            );
            assert_eq!(
                verify_bundle(bundle, &digest, b"", &keys),
                verified,
                "{kind}"
            );
            let other = Digest::of(b"other");
            assert_eq!(
                verify_bundle(bundle, &other, b"", &keys),
                Outcome::NotTrusted(OTHER_DIGEST),
                "{kind}"
            );
            let stranger = Keys::new(&[trusted("stranger", &key(9))]);
            assert_eq!(
                verify_bundle(bundle, &digest, b"", &stranger),
                Outcome::NotTrusted(OTHER_KEY),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_signature_counts_by_key_and_digest() {
        let (release, stranger) = (key(1), key(2));
        let keys = Keys::new(&[trusted("release", &release)]);
        let (digest, other) = (Digest::of(b"m"), Digest::of(b"n"));
        let verified = Outcome::Verified("release".into());

        assert_eq!(
            verify_bundle(
                &bundle(&release, &digest, SIGN_PREDICATE),
                &digest,
                b"m",
                &keys
            ),
            verified
        );
        assert_eq!(
            verify_bundle(
                &bundle(&stranger, &digest, SIGN_PREDICATE),
                &digest,
                b"m",
                &keys
            ),
            Outcome::NotTrusted(OTHER_KEY)
        );
        assert_eq!(
            verify_bundle(
                &bundle(&release, &other, SIGN_PREDICATE),
                &digest,
                b"m",
                &keys
            ),
            Outcome::NotTrusted(OTHER_DIGEST)
        );
        assert_eq!(
            verify_bundle(
                &bundle(&release, &digest, "https://slsa.dev/provenance/v1"),
                &digest,
                b"m",
                &keys
            ),
            Outcome::SomethingElse
        );

        let (payload, signature) = simple(&release, &digest);
        assert_eq!(
            verify_simple(&payload, &signature, &digest, &keys),
            verified
        );
        assert_eq!(
            verify_simple(&payload, &signature, &other, &keys),
            Outcome::NotTrusted(OTHER_DIGEST)
        );
        let (payload, signature) = simple(&stranger, &digest);
        assert_eq!(
            verify_simple(&payload, &signature, &digest, &keys),
            Outcome::NotTrusted(OTHER_KEY)
        );
    }

    #[test]
    fn a_signature_over_the_manifest_itself_counts() {
        let release = key(1);
        let keys = Keys::new(&[trusted("release", &release)]);
        let blob = |message: &[u8]| {
            serde_json::json!({"verificationMaterial": {"publicKey": {}}, "messageSignature": {"signature": sign(&release, message)}}).to_string()
        };
        let digest = Digest::of(b"m");
        assert_eq!(
            verify_bundle(blob(b"m").as_bytes(), &digest, b"m", &keys),
            Outcome::Verified("release".into())
        );
        assert_eq!(
            verify_bundle(blob(b"n").as_bytes(), &digest, b"m", &keys),
            Outcome::NotTrusted(OTHER_KEY)
        );
    }

    proptest! {
        #[test]
        fn any_bundle_is_answered(text in ".{0,200}", signature in ".{0,60}") {
            let keys = Keys::new(&[trusted("release", &key(1))]);
            let digest = Digest::of(b"m");
            let verified = |outcome| matches!(outcome, Outcome::Verified(_));
            prop_assert!(!verified(verify_bundle(text.as_bytes(), &digest, b"m", &keys)));
            prop_assert!(!verified(verify_simple(text.as_bytes(), &signature, &digest, &keys)));
        }
    }
}
