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

impl Claims<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.id
            .get(name)
            .or_else(|| self.userinfo?.get(name))
            .filter(|v| !v.is_null())
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

    /// The group names. Errors: when the claim is there and is no list of names.
    pub fn groups(&self, claim: &str) -> Result<Vec<String>, SignInError> {
        let list = match self.get(claim) {
            None => return Ok(Vec::new()),
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
        Ok(groups)
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
        let person_key = match &config.person_claim {
            Some(claim) => self.exact(claim)?,
            None => None,
        };
        Ok(SignIn {
            issuer: config.issuer.clone(),
            subject: subject.to_owned(),
            name: self.name("name").unwrap_or_else(|| username.clone()),
            username,
            email: self.name("email"),
            person_key,
            groups: self.groups(&config.groups_claim)?,
            at: now,
        })
    }
}

/// Control characters, and those that turn the direction of a text (bidi) or are not seen at all.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
