//! Whether an artifact is signed by a key that the organisation trusts.

use serde::{Deserialize, Serialize};

/// A public key that the configuration trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedKey {
    /// The name by which people know it: `release`.
    pub name: String,
    /// The key as PEM (`-----BEGIN PUBLIC KEY-----`).
    pub pem: String,
}

/// A key that verified a signature.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VerifiedBy {
    /// The key's name in the configuration.
    pub key: String,
    /// How the signature is kept: `cosign bundle` or `cosign tag`.
    pub format: String,
}

/// What is known of an artifact's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SignatureFact {
    /// At least one signature over exactly this digest verifies with a trusted key.
    Verified {
        /// The keys, each once.
        by: Vec<VerifiedBy>,
    },
    /// The registry was asked to the end and holds no signature.
    Unsigned,
    /// There are signatures, and no trusted key verifies any of them.
    Untrusted {
        /// How many signatures there are.
        signatures: u32,
        /// Why none counts, in words.
        reason: String,
    },
    /// It could not be found out. Never to be read as "signed" nor as "not signed".
    Unknown {
        /// Why, in words.
        reason: String,
    },
}

impl Default for SignatureFact {
    fn default() -> Self {
        Self::Unknown {
            reason: "It has not been checked yet.".into(),
        }
    }
}

impl SignatureFact {
    /// The name in URLs, SQL and JSON: `verified`, `unsigned`, `untrusted`, `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Unsigned => "unsigned",
            Self::Untrusted { .. } => "untrusted",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether a trusted key verified it.
    pub fn is_verified(&self) -> bool {
        matches!(self, Self::Verified { .. })
    }

    /// The fact in a sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Verified { by } => {
                let mut keys: Vec<&str> = by.iter().map(|b| b.key.as_str()).collect();
                keys.dedup();
                format!("Signed with the trusted key {}.", keys.join(", "))
            }
            Self::Unsigned => "Not signed.".into(),
            Self::Untrusted {
                signatures: 1,
                reason,
            } => format!("Signed, but not by a trusted key: {reason}"),
            Self::Untrusted { signatures, reason } => {
                format!("{signatures} signatures, none by a trusted key: {reason}")
            }
            Self::Unknown { reason } => format!("The signature could not be checked: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for fact in [
            SignatureFact::Verified { by: vec![] },
            SignatureFact::Unsigned,
            SignatureFact::Untrusted {
                signatures: 1,
                reason: "r".into(),
            },
            SignatureFact::default(),
        ] {
            let json = serde_json::to_value(&fact).unwrap();
            assert_eq!(json["state"], fact.name());
            assert_eq!(serde_json::from_value::<SignatureFact>(json).unwrap(), fact);
        }
    }
}
