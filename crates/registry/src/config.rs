//! What a client is told: address, credentials, limits.

use std::{fmt, time::Duration};

/// A password or token: it has no way into a log or a page.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives it out, for the one request that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Limits on what a registry may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// One request for a small thing, from connecting to the last byte.
    pub request: Duration,
    /// One whole call of the client, with all its requests.
    pub call: Duration,
    /// Compressed bytes of one layer that are downloaded to look for files.
    pub layer_bytes: u64,
    /// Bytes that one layer may unpack to while files are looked for.
    pub unpacked_bytes: u64,
    /// Bytes that the inspection of one artifact may download in all.
    pub inspection_bytes: u64,
    /// Requests for parts of one layer.
    pub range_requests: u32,
    /// Tags of one repository.
    pub tags: usize,
    /// Repositories of one page of the catalog.
    pub page: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(15),
            call: Duration::from_secs(90),
            layer_bytes: 48 * 1024 * 1024,
            unpacked_bytes: 256 * 1024 * 1024,
            inspection_bytes: 192 * 1024 * 1024,
            range_requests: 400,
            tags: 10_000,
            page: 200,
        }
    }
}

/// A registry and how to get in.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    /// `https://registry.example.org` or `http://…`, without a path.
    pub url: String,
    /// The account's name.
    pub username: Option<String>,
    /// Its password or token.
    pub password: Option<Secret>,
    /// Limits.
    pub limits: Limits,
}

impl RegistryConfig {
    /// A registry that wants no credentials, under the default limits.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            limits: Limits::default(),
        }
    }

    /// With credentials.
    pub fn with_credentials(mut self, username: impl Into<String>, password: Secret) -> Self {
        self.username = Some(username.into());
        self.password = Some(password);
        self
    }

    /// With other limits.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let config = RegistryConfig::new("http://x").with_credentials("u", Secret::new("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
