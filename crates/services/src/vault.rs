//! Secrets at rest: XChaCha20-Poly1305 under the key of the configuration, bound to what they are for.

use crate::ports::Entropy;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use domain::{Error, Result};
use sha2::{Digest as _, Sha256};

/// Seals and opens with one key. The purpose (a registry's id, `session-tokens`) is authenticated
/// too, so that a sealed text copied to another row does not open there.
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// `key`: the configuration's 32 bytes; what is used is derived from it for this purpose alone.
    pub fn new(key: &[u8; 32]) -> Self {
        let derived = Sha256::new()
            .chain_update(b"gatehouse vault v1")
            .chain_update(key)
            .finalize();
        Self {
            cipher: XChaCha20Poly1305::new_from_slice(&derived).expect("SHA-256 gives 32 bytes"),
        }
    }

    pub fn seal(&self, entropy: &dyn Entropy, purpose: &str, secret: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0u8; 24];
        entropy.fill(&mut nonce);
        let sealed = self
            .cipher
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: secret,
                    aad: purpose.as_bytes(),
                },
            )
            .map_err(|_| Error::internal("sealing failed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Errors: `Internal` when the key is not the one it was sealed with, or the text was changed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let broken = || {
            Error::new(
                domain::Kind::Internal,
                "a stored secret cannot be opened with the configured key",
            )
            .remedy(
                "Set server.secret_key to the key it was stored with, or enter the secret again.",
            )
        };
        let (nonce, body) = sealed.split_at_checked(24).ok_or_else(broken)?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| broken())?;
        self.cipher
            .decrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: body,
                    aad: purpose.as_bytes(),
                },
            )
            .map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
        fn uuid(&self) -> uuid::Uuid {
            uuid::Uuid::nil()
        }
    }

    #[test]
    fn opens_only_for_its_purpose_and_with_its_key() {
        let vault = Vault::new(&[1; 32]);
        let sealed = vault.seal(&Zero, "registry:a", b"hunter2").expect("seals");
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        assert_eq!(
            vault.open("registry:a", &sealed).expect("opens"),
            b"hunter2"
        );
        assert!(vault.open("registry:b", &sealed).is_err());
        assert!(Vault::new(&[2; 32]).open("registry:a", &sealed).is_err());
        assert!(vault.open("registry:a", &sealed[..10]).is_err());
    }
}
