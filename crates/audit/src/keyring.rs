//! Keys made from the configured secret: one to wrap the keys of persons, one for pseudonyms.

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use domain::{Error, Result, ids::PersonId};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// The length of a nonce in bytes; it stands before what it sealed.
pub(crate) const NONCE: usize = 24;

/// What opens the personal parts of the log. Has no `Debug`, so that no key gets into a log.
#[derive(Clone)]
pub struct Keyring {
    wrap: [u8; 32],
    pseudonym: [u8; 32],
}

/// The key of one person's personal parts. 32 unguessable bytes, made once for each person.
pub struct PersonKey([u8; 32]);

impl PersonKey {
    /// `bytes` must be random and unknown to anybody else.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Seals with XChaCha20-Poly1305: nonce, then ciphertext and tag. A nonce must never be used twice
/// with one key; 24 random bytes are never the same twice.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE],
    aad: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>> {
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad })
        .map_err(|_| Error::internal("an audit record's personal part could not be sealed"))?;
    Ok([&nonce[..], &sealed].concat())
}

/// Opens what [`seal`] made; `None` when the key, the purpose or a byte is another.
pub(crate) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad })
        .ok()
}

impl Keyring {
    /// `secret` is the configuration's key; each key in use is derived from it for one purpose.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self {
            wrap: mac(secret, &[b"gatehouse audit wrap v1"]),
            pseudonym: mac(secret, &[b"gatehouse audit pseudonym v1"]),
        }
    }

    /// Says which key ring this is without telling anything about it: a store keeps it to notice
    /// that it is opened with another key.
    pub fn fingerprint(&self) -> String {
        hex::encode(&mac(&self.wrap, &[b"fingerprint"])[..8])
    }

    /// The name under which the log knows a person: the same each time, and telling nothing to
    /// whoever lacks the key.
    pub fn pseudonym(&self, person: PersonId) -> String {
        hex::encode(&mac(&self.pseudonym, &[person.0.as_bytes()])[..16])
    }

    /// A person's key, to be stored beside their pseudonym.
    pub fn wrap(&self, pseudonym: &str, key: &PersonKey, nonce: &[u8; NONCE]) -> Result<Vec<u8>> {
        seal(&self.wrap, nonce, pseudonym.as_bytes(), key.bytes())
    }

    /// The key back. Errors: `Internal` when it was wrapped with another secret or changed since.
    pub fn unwrap(&self, pseudonym: &str, wrapped: &[u8]) -> Result<PersonKey> {
        open(&self.wrap, pseudonym.as_bytes(), wrapped)
            .and_then(|k| <[u8; 32]>::try_from(k).ok())
            .map(PersonKey)
            .ok_or_else(|| {
                Error::new(
                    domain::Kind::Internal,
                    "the personal part of the audit log cannot be opened with the configured key",
                )
                .remedy("Set server.secret_key to the key that the log was written with.")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_only_with_its_secret_and_for_its_person() {
        let ring = Keyring::new(&[1; 32]);
        let wrapped = ring
            .wrap("p", &PersonKey::new([9; 32]), &[7; NONCE])
            .expect("wraps");
        assert_eq!(ring.unwrap("p", &wrapped).expect("opens").bytes(), &[9; 32]);
        assert!(ring.unwrap("q", &wrapped).is_err());
        assert!(ring.unwrap("p", &wrapped[..20]).is_err());
        assert!(Keyring::new(&[2; 32]).unwrap("p", &wrapped).is_err());
    }

    #[test]
    fn pseudonyms_are_stable_and_keyed() {
        let (a, b) = (Keyring::new(&[1; 32]), Keyring::new(&[2; 32]));
        let person = PersonId(uuid::Uuid::from_u128(5));
        assert_eq!(a.pseudonym(person), a.pseudonym(person));
        assert_ne!(a.pseudonym(person), b.pseudonym(person));
        assert_ne!(a.fingerprint(), b.fingerprint());
    }
}
