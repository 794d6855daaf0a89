//! Which addresses the console calls. Somebody who may add a registry must not be able to make the
//! console talk to the cloud's metadata service or to a neighbour on the link (server-side request
//! forgery). Names are checked after they are resolved and exactly the checked addresses are
//! connected to, so a name that answers differently the second time gains nothing.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::error::{Problem, RegistryError, Result};

/// Which kinds of addresses may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPolicy {
    /// This machine itself.
    pub loopback: bool,
    /// Private networks (RFC 1918, RFC 4193).
    pub private: bool,
    /// Link-local addresses and the metadata services of clouds.
    pub link_local: bool,
}

impl Default for AddressPolicy {
    fn default() -> Self {
        Self {
            loopback: true,
            private: true,
            link_local: false,
        }
    }
}

/// Metadata services outside the link-local range: Alibaba's, Azure's host, AWS over IPv6.
const METADATA_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);

impl AddressPolicy {
    /// Why this address is not called; `None` when it is.
    pub fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        match plain(address) {
            IpAddr::V4(v4) => {
                if v4.is_unspecified()
                    || v4.is_broadcast()
                    || v4.is_multicast()
                    || v4.octets()[0] == 0
                {
                    Some("it is no address of a single machine")
                } else if !self.link_local && (v4.is_link_local() || METADATA_V4.contains(&v4)) {
                    Some("it is link-local or a cloud's metadata service")
                } else if !self.loopback && v4.is_loopback() {
                    Some("it is this machine itself")
                } else if !self.private && v4.is_private() {
                    Some("it is in a private network")
                } else {
                    None
                }
            }
            IpAddr::V6(v6) => {
                if v6.is_unspecified() || v6.is_multicast() {
                    Some("it is no address of a single machine")
                } else if !self.link_local && (v6.is_unicast_link_local() || v6 == METADATA_V6) {
                    Some("it is link-local or a cloud's metadata service")
                } else if !self.loopback && v6.is_loopback() {
                    Some("it is this machine itself")
                } else if !self.private && v6.is_unique_local() {
                    Some("it is in a private network")
                } else {
                    None
                }
            }
        }
    }

    /// The policy for where a registry sends us, by the addresses of the registry itself: to this
    /// machine, private networks or the link only when it is there too. A registry on the internet
    /// has no business with what only this machine can reach.
    pub(crate) fn beside(&self, registry: &[IpAddr]) -> Self {
        let there = |only: fn(&mut Self) -> &mut bool| {
            let mut without = Self {
                loopback: true,
                private: true,
                link_local: true,
            };
            *only(&mut without) = false;
            registry.iter().any(|a| without.refuses(*a).is_some())
        };
        Self {
            loopback: self.loopback && there(|p| &mut p.loopback),
            private: self.private && there(|p| &mut p.private),
            link_local: self.link_local && there(|p| &mut p.link_local),
        }
    }

    /// Checks a URL before it is called: scheme, no credentials inside, and the host where it is a
    /// plain address (names are checked when they are resolved).
    pub fn check(&self, url: &Url) -> Result<()> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RegistryError::new(Problem::Address(
                "it must begin with https:// or http://".into(),
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RegistryError::new(Problem::Address(
                "it must not hold a user name or password; give those in their own fields".into(),
            )));
        }
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) => return Ok(()),
            None => {
                return Err(RegistryError::new(Problem::Address(
                    "it has no host".into(),
                )));
            }
        };
        match self.refuses(address) {
            Some(why) => Err(RegistryError::new(Problem::Refused(why.into()))),
            None => Ok(()),
        }
    }
}

/// An IPv4 address that is written as an IPv6 one (mapped, or translated by NAT64) is what it means.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => IpAddr::V6(v6),
    }
}

/// Reads a registry's address as a person types it.
pub(crate) fn parse_base(text: &str) -> Result<Url> {
    let wrong = |why: &str| RegistryError::new(Problem::Address(why.into()));
    let text = text.trim();
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    if text.len() > 500 {
        return Err(wrong("it is longer than 500 characters"));
    }
    if !text.contains("://") {
        return Err(wrong("it must begin with https:// or http://"));
    }
    let url = Url::parse(text)
        .map_err(|e| RegistryError::caused_by(Problem::Address("it is not a URL".into()), e))?;
    if !matches!(url.path(), "" | "/" | "/v2" | "/v2/")
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong(
            "it must be the registry's host alone, without a path",
        ));
    }
    let mut url = url;
    url.set_path("/");
    Ok(url)
}

/// Where a registry's address leads.
pub(crate) async fn addresses(base: &Url) -> Result<Vec<IpAddr>> {
    match base.host() {
        Some(Host::Ipv4(v4)) => Ok(vec![IpAddr::V4(v4)]),
        Some(Host::Ipv6(v6)) => Ok(vec![IpAddr::V6(v6)]),
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, 0))
            .await
            .map(|found| found.map(|a| a.ip()).collect())
            .map_err(|e| RegistryError::caused_by(Problem::UnknownHost, e)),
        None => Ok(Vec::new()),
    }
}

/// A name was resolved, and to nothing that may be called.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) &'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name leads to an address that is not called: {}",
            self.0
        )
    }
}

impl std::error::Error for Refused {}

/// A name was not resolved.
#[derive(Debug)]
pub(crate) struct Unresolved(std::io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name could not be resolved")
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Resolves names with the system's resolver and lets only allowed addresses through.
pub(crate) struct GuardedResolver(pub(crate) AddressPolicy);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(Unresolved)?
                .collect();
            let mut refused = "it has no address";
            let mut allowed = Vec::new();
            for address in found {
                match policy.refuses(address.ip()) {
                    Some(why) => refused = why,
                    None => allowed.push(address),
                }
            }
            if allowed.is_empty() {
                return Err(Refused(refused).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_sends_us_no_further_in_than_it_is_itself() {
        let all = AddressPolicy {
            link_local: true,
            ..AddressPolicy::default()
        };
        for (registry, loopback, private, link_local) in [
            ("198.51.100.7", false, false, false),
            ("127.0.0.1", true, false, false),
            ("::ffff:10.1.2.3", false, true, false),
            ("fd12::1", false, true, false),
            ("169.254.1.1", false, false, true),
        ] {
            let expected = AddressPolicy {
                loopback,
                private,
                link_local,
            };
            let addresses = [registry.parse().unwrap()];
            assert_eq!(all.beside(&addresses), expected, "{registry}");
        }
        // What the policy forbids stays forbidden.
        let inside = ["127.0.0.1".parse().unwrap(), "169.254.1.1".parse().unwrap()];
        assert!(!AddressPolicy::default().beside(&inside).link_local);
    }

    #[test]
    fn what_a_confused_deputy_would_call_is_refused() {
        let policy = AddressPolicy::default();
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(
                policy.refuses(address.parse().unwrap()).is_some(),
                "{address}"
            );
        }
        for address in ["127.0.0.1", "10.1.2.3", "192.0.2.1", "::1", "2001:db8::1"] {
            assert!(
                policy.refuses(address.parse().unwrap()).is_none(),
                "{address}"
            );
        }
        let strict = AddressPolicy {
            loopback: false,
            private: false,
            link_local: false,
        };
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "10.0.0.1",
            "fd12::1",
        ] {
            assert!(
                strict.refuses(address.parse().unwrap()).is_some(),
                "{address}"
            );
        }
    }

    #[test]
    fn odd_spellings_of_addresses_are_seen_through() {
        let policy = AddressPolicy::default();
        for url in [
            "http://169.254.169.254",
            "http://2852039166",
            "http://0xa9fea9fe/",
            "http://[::ffff:a9fe:a9fe]",
            "http://169.254.43518",
        ] {
            let url = parse_base(url).unwrap();
            assert!(
                matches!(policy.check(&url).unwrap_err().problem, Problem::Refused(_)),
                "{url}"
            );
        }
        for url in ["ftp://x", "file:///etc/passwd", "gopher://x:70/"] {
            assert!(
                parse_base(url).and_then(|u| policy.check(&u)).is_err(),
                "{url}"
            );
        }
        assert!(
            parse_base("http://u:p@x")
                .and_then(|u| policy.check(&u))
                .is_err()
        );
    }

    #[test]
    fn addresses_are_read_as_people_type_them() {
        assert_eq!(
            parse_base(" https://r.example.org/v2/ ").unwrap().as_str(),
            "https://r.example.org/"
        );
        for text in [
            "",
            "registry:5000",
            "https://r/x",
            "https://r/?a=b",
            "https://",
            &"h".repeat(600),
        ] {
            assert!(parse_base(text).is_err(), "{text}");
        }
    }
}
