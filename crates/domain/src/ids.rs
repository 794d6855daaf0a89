//! Identifiers. Each is a UUIDv7, so that the order of ids is the order of creation.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(s)
                    .map(Self)
                    .map_err(|_| crate::Error::not_found("there is nothing at this address"))
            }
        }
    )+};
}

ids! {
    /// A human being, whatever accounts they sign in with.
    PersonId,
    /// One account at one OpenID provider: issuer and subject.
    AccountId,
    /// A registry the catalogue reads.
    RegistryId,
    /// A model family: one repository of one registry.
    ModelId,
    /// A version of a model: one digest in one repository.
    VersionId,
    /// A wizard draft.
    DraftId,
    /// A change: the unit of decision.
    ChangeId,
    /// One immutable revision of a change.
    RevisionId,
    /// One object on one cluster in a revision.
    ItemId,
    /// One person's decision on one revision.
    DecisionId,
    /// A job of the database queue.
    JobId,
    /// One record of the audit log.
    RecordId,
}

/// A cluster's identity: the UID of its `kube-system` namespace, which survives renaming.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub String);

impl std::fmt::Display for ClusterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// `sha256:<64 hex digits>`, the only digest algorithm that this console accepts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(format!(
            "sha256:{}",
            hex::encode(sha2::Sha256::digest(bytes))
        ))
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, for people.
    pub fn short(&self) -> &str {
        &self.0[7..19]
    }
}

impl std::str::FromStr for Digest {
    type Err = crate::Error;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let hex = s.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() == 64
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            Ok(Self(s.to_owned()))
        } else {
            Err(crate::Error::invalid(
                "a digest is `sha256:` and 64 lower-case hexadecimal digits",
            ))
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(|_| serde::de::Error::custom("not a sha256 digest"))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
