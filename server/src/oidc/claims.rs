//! What the provider says of a person, made into what the console keeps.

use super::{flow::SignInError, jose::Refused};
use crate::config;
use domain::Micros;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use services::ports::SignIn;

/// Groups that one account may have; a provider that sends more is misconfigured.
const MAX_GROUPS: usize = 1000;
/// Longest name of anything, in bytes.
const MAX_NAME: usize = 256;

/// The provider's tokens of a session. They stay on the server, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub id: String,
    /// A refreshed ID token must not bring another.
    pub nonce: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

/// Claims of the ID token, and where it is silent those of the userinfo answer. The subject and the
/// issuer are the ID token's alone.
pub(super) struct Claims<'a> {
    pub id: &'a Map<String, Value>,
    pub userinfo: Option<&'a Map<String, Value>>,
}

/// A claim by its name; where no claim has that name, by its path: `realm_access.roles`, or a JSON
/// pointer as `/realm_access/roles`.
pub(super) fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let nested = || {
        let (first, rest) = match name.strip_prefix('/') {
            Some(pointer) => {
                return match pointer.split_once('/') {
                    Some((first, rest)) => claims.get(first)?.pointer(&format!("/{rest}")),
                    None => claims.get(pointer),
                };
            }
            None => name.split_once('.')?,
        };
        let mut found = claims.get(first)?;
        for part in rest.split('.') {
            found = found.get(part)?;
        }
        Some(found)
    };
    claims.get(name).or_else(nested).filter(|v| !v.is_null())
}

impl Claims<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        find(self.id, name).or_else(|| find(self.userinfo?, name))
    }

    /// Does the provider say that the claim is elsewhere, because it is too large (OpenID Connect Core
    /// 5.6.2; Entra does so from 200 groups on)?
    fn elsewhere(&self, name: &str) -> bool {
        [Some(self.id), self.userinfo]
            .into_iter()
            .flatten()
            .filter_map(|claims| claims.get("_claim_names")?.as_object())
            .any(|names| names.contains_key(name))
    }

    /// As kube-apiserver has it: an address that the provider says is not verified names nobody.
    fn unverified_email(&self) -> bool {
        self.get("email_verified")
            .is_some_and(|v| *v != Value::Bool(true) && v.as_str() != Some("true"))
    }

    /// A name for people: without what could forge a line of a log or turn its direction.
    fn name(&self, claim: &str) -> Option<String> {
        let text = self.get(claim)?.as_str()?.trim();
        let clean: String = text.chars().filter(|c| !hidden(*c)).collect();
        (!clean.is_empty() && clean.len() <= MAX_NAME).then_some(clean)
    }

    /// A name that decides something: taken as it is, or refused.
    fn exact(&self, claim: &str) -> Result<Option<String>, SignInError> {
        match self.get(claim) {
            None => Ok(None),
            Some(Value::String(s))
                if s.is_empty() || s.len() > MAX_NAME || s.chars().any(hidden) =>
            {
                Err(
                    Refused::Malformed("a claim is empty, too long or has control characters")
                        .into(),
                )
            }
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(Value::Number(n)) => Ok(Some(n.to_string())),
            Some(_) => Err(Refused::Malformed("a claim that should be text is not").into()),
        }
    }

    /// The group names; `None` where the claim is in neither source.
    /// Errors: when the claim is there and is no list of names, or when there are too many to be sent.
    pub fn groups(&self, claim: &str) -> Result<Option<Vec<String>>, SignInError> {
        let list = match self.get(claim) {
            None if self.elsewhere(claim) => return Err(SignInError::TooManyGroups),
            None => return Ok(None),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(list)) => list
                .iter()
                .map(|v| v.as_str().ok_or(Refused::Malformed("a group is no text")))
                .collect::<Result<_, _>>()?,
            Some(_) => return Err(Refused::Malformed("the groups are no list").into()),
        };
        if list.len() > MAX_GROUPS {
            return Err(Refused::Malformed("more than 1000 groups").into());
        }
        if list
            .iter()
            .any(|g| g.is_empty() || g.len() > MAX_NAME || g.chars().any(hidden))
        {
            return Err(Refused::Malformed(
                "a group's name is empty, too long or has control characters",
            )
            .into());
        }
        let mut groups: Vec<String> = list.into_iter().map(String::from).collect();
        groups.sort();
        groups.dedup();
        Ok(Some(groups))
    }

    pub fn sign_in(
        &self,
        config: &config::Oidc,
        subject: &str,
        now: Micros,
    ) -> Result<SignIn, SignInError> {
        let username = self
            .exact(&config.username_claim)?
            .ok_or_else(|| SignInError::NoUsername)?;
        if config.username_claim == "email" && self.unverified_email() {
            return Err(SignInError::UnverifiedEmail);
        }
        // Without it the account would be a person of its own and could approve what another account
        // of the same person asked for.
        let person_key = match &config.person_claim {
            Some(claim) => Some(
                self.exact(claim)?
                    .ok_or_else(|| SignInError::NoPerson(claim.clone()))?,
            ),
            None => None,
        };
        // Many providers leave the claim away for an account without groups.
        let groups = self.groups(&config.groups_claim)?.unwrap_or_else(|| {
            tracing::info!(
                claim = config.groups_claim,
                "somebody signs in without a groups claim: the account has no groups, or the claim is not configured at the provider"
            );
            Vec::new()
        });
        Ok(SignIn {
            issuer: config.issuer.clone(),
            subject: subject.to_owned(),
            name: self.name("name").unwrap_or_else(|| username.clone()),
            username,
            email: self.name("email"),
            person_key,
            groups,
            at: now,
        })
    }
}

/// Control characters, and those that turn the direction of a text (bidi) or are not seen at all.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
