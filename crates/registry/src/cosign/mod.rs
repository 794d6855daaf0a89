//! Cosign's signatures, checked against the keys that the configuration trusts: the bundles of
//! cosign 3 (sigstore bundle v0.3, kept as referrers) and the older tags `sha256-….sig`.
//!
//! A signature counts when it verifies with a trusted key **and** says that it is about exactly this
//! digest. Signatures made with a certificate instead of a key are not trusted here, and the
//! transparency log is not asked: the key alone decides.

mod verify;

use domain::{
    artifact::{
        Descriptor, Document, Manifest, SignatureFact, VerifiedBy, digest_tag, media_types,
    },
    ids::Digest,
};
use sigstore::crypto::CosignVerificationKey;
use verify::{Outcome, verify_bundle, verify_simple};

pub(crate) use verify::Keys;

use crate::{client::Client, error::Result};

/// Most signatures of one digest that are looked at.
const MAX_SIGNATURES: usize = 64;
/// Largest bundle or payload.
const MAX_SIGNATURE_BYTES: u64 = 1024 * 1024;
/// The annotation that holds an older signature.
const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// Whether a public key in PEM can be used to verify signatures (ECDSA P-256 and P-384, RSA,
/// Ed25519); for the check of the configuration at start.
pub fn is_usable_key(pem: &str) -> bool {
    CosignVerificationKey::try_from_pem(pem.trim().as_bytes()).is_ok()
}

impl Client {
    /// What is known of the signature of a digest. `referrers` is what the registry listed for it.
    pub(crate) async fn signature(
        &self,
        repository: &str,
        digest: &Digest,
        manifest: &[u8],
        referrers: Result<&[Descriptor], &str>,
        keys: &Keys,
    ) -> SignatureFact {
        let mut check = Check {
            keys,
            digest,
            manifest,
            by: Vec::new(),
            failed: Vec::new(),
        };
        // What could not be found out matters only when nothing verifies.
        let mut gap: Option<String> = None;
        match referrers {
            Ok(list) => {
                for descriptor in list
                    .iter()
                    .filter(|d| may_be_signature(d))
                    .take(MAX_SIGNATURES)
                {
                    if let Err(e) = self
                        .check_referrer(repository, descriptor, &mut check)
                        .await
                    {
                        gap.get_or_insert_with(|| e.message());
                    }
                }
            }
            Err(why) => gap = Some(why.to_owned()),
        }
        let tag = format!("{}.sig", digest_tag(digest));
        if let Err(e) = self.check_tag(repository, &tag, &mut check).await {
            gap.get_or_insert_with(|| e.message());
        }
        check.conclude(gap)
    }

    async fn check_referrer(
        &self,
        repository: &str,
        descriptor: &Descriptor,
        check: &mut Check<'_>,
    ) -> Result<()> {
        let (_, document) = self.manifest(repository, &descriptor.digest).await?;
        if let Document::Manifest(manifest) = document {
            self.check_layers(repository, &manifest, "cosign bundle", check)
                .await?;
        }
        Ok(())
    }

    async fn check_tag(&self, repository: &str, tag: &str, check: &mut Check<'_>) -> Result<()> {
        let Some((body, kind)) = self.manifest_at(repository, tag).await? else {
            return Ok(());
        };
        if let Document::Manifest(manifest) = Document::parse(&body, kind.as_deref())? {
            self.check_layers(repository, &manifest, "cosign tag", check)
                .await?;
        }
        Ok(())
    }

    async fn check_layers(
        &self,
        repository: &str,
        manifest: &Manifest,
        format: &str,
        check: &mut Check<'_>,
    ) -> Result<()> {
        for layer in manifest.layers.iter().take(MAX_SIGNATURES) {
            let bundle = layer
                .media_type
                .starts_with("application/vnd.dev.sigstore.bundle");
            if !bundle && layer.media_type != media_types::SIMPLE_SIGNING {
                continue;
            }
            let blob = self
                .blob(repository, layer, MAX_SIGNATURE_BYTES, "The signature")
                .await?;
            let outcome = if bundle {
                verify_bundle(&blob, check.digest, check.manifest, check.keys)
            } else {
                let signature = layer
                    .annotations
                    .get(SIGNATURE_ANNOTATION)
                    .map(String::as_str);
                verify_simple(
                    &blob,
                    signature.unwrap_or_default(),
                    check.digest,
                    check.keys,
                )
            };
            check.record(outcome, format);
        }
        Ok(())
    }
}

/// A check of one digest under way.
struct Check<'a> {
    keys: &'a Keys,
    digest: &'a Digest,
    manifest: &'a [u8],
    by: Vec<VerifiedBy>,
    failed: Vec<&'static str>,
}

impl Check<'_> {
    fn record(&mut self, outcome: Outcome, format: &str) {
        match outcome {
            Outcome::Verified(key) => {
                let by = VerifiedBy {
                    key,
                    format: format.into(),
                };
                if !self.by.contains(&by) {
                    self.by.push(by);
                }
            }
            Outcome::NotTrusted(why) => self.failed.push(why),
            Outcome::SomethingElse => {}
        }
    }

    fn conclude(self, gap: Option<String>) -> SignatureFact {
        if !self.by.is_empty() {
            let mut by = self.by;
            by.sort();
            return SignatureFact::Verified { by };
        }
        if let Some(reason) = gap {
            return SignatureFact::Unknown { reason };
        }
        if self.failed.is_empty() {
            return SignatureFact::Unsigned;
        }
        if !self.keys.broken.is_empty() {
            return SignatureFact::Unknown {
                reason: format!(
                    "the trusted key {} in the configuration cannot be read.",
                    self.keys.broken.join(", ")
                ),
            };
        }
        let reason = if self.keys.usable.is_empty() {
            "the configuration names no trusted key."
        } else {
            self.failed[0]
        };
        SignatureFact::Untrusted {
            signatures: u32::try_from(self.failed.len()).unwrap_or(u32::MAX),
            reason: reason.into(),
        }
    }
}

/// Whether a referrer may hold a signature. Without an artifact type (older tools) it must be looked at.
fn may_be_signature(descriptor: &Descriptor) -> bool {
    match descriptor.artifact_type.as_deref() {
        Some(kind) => {
            kind.starts_with("application/vnd.dev.sigstore.bundle")
                || kind.starts_with("application/vnd.dev.cosign.artifact.sig")
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use domain::artifact::TrustedKey;

    use super::*;

    #[test]
    fn what_could_not_be_found_out_is_never_unsigned() {
        let keys = Keys::new(&[]);
        let digest = Digest::of(b"m");
        let check = || Check {
            keys: &keys,
            digest: &digest,
            manifest: b"m",
            by: vec![],
            failed: vec![],
        };
        assert_eq!(check().conclude(None), SignatureFact::Unsigned);
        assert_eq!(check().conclude(Some("r".into())).name(), "unknown");
        let mut failed = check();
        failed.record(Outcome::NotTrusted("r"), "f");
        assert_eq!(failed.conclude(None).name(), "untrusted");
        let broken = Keys::new(&[TrustedKey {
            name: "k".into(),
            pem: "nonsense".into(),
        }]);
        let mut failed = Check {
            keys: &broken,
            ..check()
        };
        failed.record(Outcome::NotTrusted("r"), "f");
        assert_eq!(failed.conclude(None).name(), "unknown");
        assert!(!is_usable_key("nonsense"));
    }
}
