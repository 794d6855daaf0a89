//! What goes wrong with a registry, in words for the person who can mend it.

use std::{error::Error as StdError, fmt};

use domain::{Error, artifact::Malformed};

type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The address is no address of a registry; says why.
    Address(String),
    /// The address is one that the console must not call; says why.
    Refused(String),
    /// The host name is not known.
    UnknownHost,
    /// Nothing answers there.
    Unreachable,
    /// The certificate or the TLS handshake is wrong; says why.
    Tls(String),
    /// The connection broke off in the middle of an answer.
    Broken,
    /// No answer in time.
    TimedOut,
    /// Something answers that is not a registry; says what.
    NotARegistry(String),
    /// The registry wants credentials and there are none.
    CredentialsNeeded,
    /// The registry refuses these credentials.
    CredentialsRefused,
    /// The credentials may not do this.
    Forbidden,
    /// There is nothing of this name; says what.
    NotFound(String),
    /// The registry asks us to come back later.
    RateLimited,
    /// The registry answered with this status.
    Status(u16),
    /// The registry sends us to another host.
    Redirected(String),
    /// The host that the registry sends us to wants credentials, which only the registry gets.
    RefusedElsewhere(String),
    /// An answer or a part of it is larger than is read; says what.
    TooLarge(String),
    /// The answer is not what it should be.
    Malformed(Malformed),
    /// What came does not have the digest that was asked for.
    WrongDigest,
}

/// A failure of a call to a registry.
///
/// `Display` and [`Self::into_domain`] show our own words only; what a library said travels in
/// [`StdError::source`] for the log.
#[derive(Debug)]
pub struct RegistryError {
    /// What went wrong.
    pub problem: Problem,
    source: Option<Source>,
}

/// The result of a call to a registry.
pub type Result<T, E = RegistryError> = std::result::Result<T, E>;

impl RegistryError {
    /// A failure without a cause from elsewhere.
    pub fn new(problem: Problem) -> Self {
        Self {
            problem,
            source: None,
        }
    }

    /// A failure with its cause, for the log.
    pub fn caused_by(problem: Problem, source: impl Into<Source>) -> Self {
        Self {
            problem,
            source: Some(source.into()),
        }
    }

    /// What is wrong, in a sentence.
    pub fn message(&self) -> String {
        match &self.problem {
            Problem::Address(why) => format!("The address cannot be used: {why}."),
            Problem::Refused(why) => format!("The console does not call this address: {why}."),
            Problem::UnknownHost => "The registry's host name is not known.".into(),
            Problem::Unreachable => "Nothing answers at the registry's address.".into(),
            Problem::Tls(why) => {
                format!("The connection to the registry cannot be secured: {why}.")
            }
            Problem::Broken => "The connection to the registry broke off.".into(),
            Problem::TimedOut => "The registry did not answer in time.".into(),
            Problem::NotARegistry(what) => format!("What answers there is not a registry: {what}."),
            Problem::CredentialsNeeded => "The registry wants a user name and a password.".into(),
            Problem::CredentialsRefused => {
                "The registry refuses this user name and password.".into()
            }
            Problem::Forbidden => "This account may not read that in the registry.".into(),
            Problem::NotFound(what) => format!("The registry does not have {what}."),
            Problem::RateLimited => "The registry asks us to slow down.".into(),
            Problem::Status(status) => {
                format!("The registry answered with an error (status {status}).")
            }
            Problem::Redirected(host) => format!("The registry sends us to another host ({host})."),
            Problem::RefusedElsewhere(host) => format!(
                "The registry sends us to another host ({host}), which wants a sign-in of its own."
            ),
            Problem::TooLarge(what) => format!("{what} is larger than is read."),
            Problem::Malformed(malformed) => format!("{malformed}."),
            Problem::WrongDigest => {
                "What the registry sent does not have the digest that was asked for.".into()
            }
        }
    }

    /// What to do about it, in a sentence.
    pub fn remedy(&self) -> &'static str {
        match &self.problem {
            Problem::Address(_) => "Give an address such as https://registry.example.org.",
            Problem::Refused(_) => {
                "Use the registry's own address. Which kinds of addresses are called stands in the configuration file (registries_policy); other hosts that a registry sends us to must not lie further inside than itself."
            }
            Problem::UnknownHost => {
                "Check the spelling, and that the console's name server knows it."
            }
            Problem::Unreachable => {
                "Check host and port, that the registry runs, and that no firewall is in between."
            }
            Problem::Tls(_) => {
                "Check that the address begins with the right scheme, and that the certificate is valid for this host and signed by an authority that this machine trusts."
            }
            Problem::Broken | Problem::TimedOut => {
                "Try again later; if it stays so, look at the registry's load and the network."
            }
            Problem::NotARegistry(_) => {
                "Give the address that `docker login` would take, without a path."
            }
            Problem::CredentialsNeeded => "Give the name and password of an account that may read.",
            Problem::CredentialsRefused => {
                "Check both; many registries want an access token in place of the password."
            }
            Problem::Forbidden => {
                "Give the account the right to read, or take another repository rule."
            }
            Problem::NotFound(_) => {
                "It may have been deleted or renamed since the last look; synchronise the registry."
            }
            Problem::RateLimited => "The console tries again later by itself.",
            Problem::Status(_) => {
                "Look at the registry's log; the console tries again later by itself."
            }
            Problem::Redirected(_) => {
                "If that host is right, give its address in place of this one."
            }
            Problem::RefusedElsewhere(_) => {
                "The registry's operator has to make its redirects carry their own right to read (signed addresses) or turn them off; its password is not sent to other hosts."
            }
            Problem::TooLarge(_) => "Ask whoever pushed it whether that is meant.",
            Problem::Malformed(_) => "Ask whoever pushed it to push it again with a current tool.",
            Problem::WrongDigest => {
                "Somebody between here and the registry, or its storage, changes content: tell its operator."
            }
        }
    }

    /// The field of the registry's form that it concerns, where it does.
    pub fn field(&self) -> Option<&'static str> {
        match &self.problem {
            Problem::Address(_)
            | Problem::Refused(_)
            | Problem::UnknownHost
            | Problem::Unreachable
            | Problem::Tls(_)
            | Problem::NotARegistry(_)
            | Problem::Redirected(_) => Some("url"),
            Problem::CredentialsNeeded => Some("username"),
            Problem::CredentialsRefused => Some("password"),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        match self.problem {
            Problem::Unreachable | Problem::Broken | Problem::TimedOut | Problem::RateLimited => {
                true
            }
            Problem::Status(status) => status >= 500,
            _ => false,
        }
    }

    /// The error as the services see it. `form` says whether a person is just filling in the
    /// registry's form: then the error is about a field of it.
    pub fn into_domain(self, form: bool) -> Error {
        let message = self.message();
        let error = match (self.field().filter(|_| form), &self.problem) {
            (Some(field), _) => Error::field(field, message),
            (None, Problem::NotFound(_)) => Error::not_found(message),
            (
                None,
                Problem::Forbidden | Problem::CredentialsNeeded | Problem::CredentialsRefused,
            ) => Error::forbidden(message),
            // What is said of one thing; only what concerns the registry as a whole is "unavailable".
            (None, _) if self.is_passing() => Error::unavailable(message),
            (None, Problem::UnknownHost | Problem::Tls(_)) => Error::unavailable(message),
            (None, _) => Error::invalid(message),
        };
        let error = error.remedy(self.remedy());
        match self.source {
            Some(source) => error.caused_by(source),
            None => error,
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl StdError for RegistryError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|e| e as &(dyn StdError + 'static))
    }
}

impl From<Malformed> for RegistryError {
    fn from(malformed: Malformed) -> Self {
        Self::new(Problem::Malformed(malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_said_is_for_the_log_only() {
        let error =
            RegistryError::caused_by(Problem::Unreachable, "tcp connect error: secret-host");
        assert!(!error.to_string().contains("secret-host"));
        let error = error.into_domain(true);
        assert!(!error.message.contains("secret-host"));
        assert_eq!(error.fields[0].field, "url");
        assert!(error.for_log().contains("secret-host"));
    }
}
