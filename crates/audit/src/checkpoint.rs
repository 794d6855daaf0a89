//! Checkpoints: the head of the log's tree as a signed note (C2SP tlog-checkpoint, signed-note).

use crate::{keyring::mac, tree::Hash};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{Error, Result};
use signed_note::{Note, NoteError, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::Checkpoint;

/// The largest note that is looked at, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// Ed25519's number in a signed note's keys.
const ED25519: u8 = 1;

/// The head of a log's tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Which log: a name without a scheme, such as `gatehouse.example.com/audit`.
    pub origin: String,
    /// How many records.
    pub size: u64,
    pub root: Hash,
}

/// A key that signs checkpoints. Has no `Debug`, so that no key gets into a log.
#[derive(Clone)]
pub struct SigningKey {
    signer: StandardSigner,
    verifier: String,
}

impl SigningKey {
    /// From 32 secret bytes, under the log's name.
    ///
    /// Errors: `Invalid` for a name that is empty or has spaces or `+`.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self> {
        let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        let encoded = |key: &[u8]| STANDARD.encode([&[ED25519], key].concat());
        let id = signed_note::key_id(name, &[&[ED25519], &public.as_bytes()[..]].concat());
        let secret = format!("PRIVATE+KEY+{name}+{id:08x}+{}", encoded(seed));
        let signer = StandardSigner::new(&secret).map_err(|_| {
            Error::invalid(format!("“{name}” cannot be the name of a log"))
                .remedy("Write a name without spaces and `+`, such as gatehouse.example.com/audit.")
        })?;
        Ok(Self {
            signer,
            verifier: format!("{name}+{id:08x}+{}", encoded(public.as_bytes())),
        })
    }

    /// From the configuration's secret key, for one purpose and under the log's name.
    ///
    /// Errors: as [`Self::new`].
    pub fn derived(name: &str, secret: &[u8; 32]) -> Result<Self> {
        Self::new(name, &mac(secret, &[b"gatehouse audit checkpoints v1"]))
    }

    /// The public key as a signed note's verifier key: name, id and key with `+` between them.
    pub fn verifier_key(&self) -> &str {
        &self.verifier
    }
}

/// The note of this head, signed with each of the keys.
pub fn sign(head: &Head, keys: &[SigningKey]) -> Result<String> {
    let text = Checkpoint::new(&head.origin, head.size, head.root, "")
        .map_err(|e| Error::internal(format!("a checkpoint cannot be written: {e}")))?
        .to_bytes();
    let mut note = Note::new(&text, &[]).map_err(Error::internal)?;
    let signers: Vec<&dyn signed_note::Signer> = keys
        .iter()
        .map(|k| &k.signer as &dyn signed_note::Signer)
        .collect();
    note.add_sigs(&signers).map_err(Error::internal)?;
    String::from_utf8(note.to_bytes()).map_err(Error::internal)
}

/// Reads a note that one of these verifier keys signed.
///
/// Errors: `Invalid`, saying what is wrong: no note, no such key, a signature that does not hold, a
/// text that is no checkpoint.
pub fn open(note: &str, verifier_keys: &[String]) -> Result<Head> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(Error::invalid("this is too large for a checkpoint"));
    }
    let parsed = Note::from_bytes(note.as_bytes())
        .map_err(|_| Error::invalid("this is no signed note (C2SP signed-note)"))?;
    let mut known: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
    for key in verifier_keys {
        known.push(Box::new(verifier(key)?));
    }
    parsed
        .verify(&VerifierList::new(known))
        .map_err(|e| match e {
            NoteError::UnverifiedNote => {
                Error::invalid("none of the given keys signed this checkpoint")
            }
            NoteError::InvalidSignature { name, id } => Error::invalid(format!(
                "the signature of key {name}+{id:08x} does not hold: the checkpoint was changed"
            )),
            _ => Error::invalid("the checkpoint's signatures cannot be read"),
        })?;
    head_of(parsed.text())
}

/// What a note claims, signed by whomever.
///
/// Errors: `Invalid` as for [`open`].
pub fn claimed(note: &str) -> Result<Head> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(Error::invalid("this is too large for a checkpoint"));
    }
    let parsed = Note::from_bytes(note.as_bytes())
        .map_err(|_| Error::invalid("this is no signed note (C2SP signed-note)"))?;
    head_of(parsed.text())
}

/// Is this a verifier key?
///
/// Errors: `Invalid`, saying how one looks.
pub fn check_key(key: &str) -> Result<()> {
    verifier(key).map(drop)
}

fn verifier(key: &str) -> Result<StandardVerifier> {
    StandardVerifier::new(key.trim()).map_err(|_| {
        Error::invalid("this is no public key of a log").remedy(
            "It looks like gatehouse.example.com/audit+1f2e3d4c+AbCd…, as the Audit page shows it.",
        )
    })
}

fn head_of(text: &[u8]) -> Result<Head> {
    let checkpoint = Checkpoint::from_bytes(text)
        .map_err(|_| Error::invalid("the note holds no checkpoint (C2SP tlog-checkpoint)"))?;
    Ok(Head {
        origin: checkpoint.origin().to_owned(),
        size: checkpoint.size(),
        root: *checkpoint.hash(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf;

    fn head() -> Head {
        Head {
            origin: "gatehouse.example/audit".into(),
            size: 42,
            root: leaf(b"root"),
        }
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::new("gatehouse.example/audit", &[seed; 32]).unwrap()
    }

    #[test]
    fn a_checkpoint_reads_as_the_specification_says() {
        let note = sign(&head(), &[key(1)]).unwrap();
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!(lines[0], "gatehouse.example/audit");
        assert_eq!(lines[1], "42");
        assert_eq!(lines[2], STANDARD.encode(leaf(b"root").0));
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("— gatehouse.example/audit "));
        assert_eq!(
            open(&note, &[key(1).verifier_key().into()]).unwrap(),
            head()
        );
    }

    #[test]
    fn while_keys_rotate_either_verifies() {
        let note = sign(&head(), &[key(1), key(2)]).unwrap();
        for seed in [1, 2] {
            assert!(open(&note, &[key(seed).verifier_key().into()]).is_ok());
        }
        let error = open(&note, &[key(3).verifier_key().into()]).unwrap_err();
        assert!(
            error.message.contains("none of the given keys"),
            "{}",
            error.message
        );
    }

    #[test]
    fn no_byte_can_be_changed() {
        let note = sign(&head(), &[key(1)]).unwrap();
        let keys = [key(1).verifier_key().to_owned()];
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(open(&changed, &keys).is_err(), "byte {at} of {note}");
            }
        }
    }

    #[test]
    fn names_and_keys_that_are_none_are_refused() {
        assert!(SigningKey::new("two words", &[1; 32]).is_err());
        assert!(SigningKey::new("", &[1; 32]).is_err());
        for bad in ["", "a+b", "gatehouse.example/audit+00000000+AQ=="] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
        assert!(check_key(key(1).verifier_key()).is_ok());
        assert!(open("", &[]).is_err());
        assert!(claimed(&sign(&head(), &[key(9)]).unwrap()).is_ok());
    }
}
