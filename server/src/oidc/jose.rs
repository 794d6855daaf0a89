//! Signed tokens of the provider (JWS compact, RFC 7515; JWT, RFC 7519): one path for ID tokens,
//! refreshed ID tokens and logout tokens, so that one set of checks is the only one there is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::{
    JsonWebKey as _, JsonWebKeyAlgorithm, JwsSigningAlgorithm as _,
    core::{CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm as Alg},
};
use serde_json::{Map, Value};

/// No token of ours is longer; a provider that sends more is not read.
const MAX_TOKEN: usize = 64 * 1024;

/// Algorithms that are accepted. Never `none`, and never a shared secret (HS…): the client secret
/// is no signing key, and whoever knows it could then sign in as anybody.
pub const ALLOWED: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// Why a token or an answer of the provider is not believed: for the log and the audit record.
/// The person only reads that the sign-in could not be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    #[error("token type `{0}` does not belong here")]
    Type(String),
    #[error("signature algorithm `{0}` is not accepted")]
    Algorithm(String),
    #[error("no key of the provider fits the token's key id")]
    NoKey,
    #[error("the token names no key and the provider has several that fit")]
    AmbiguousKey,
    #[error("the signature is wrong")]
    Signature,
    #[error("claim `{0}` is missing")]
    Missing(&'static str),
    #[error("the issuer is another")]
    Issuer,
    #[error("the audience is another")]
    Audience,
    #[error("the token was issued to another party")]
    AuthorizedParty,
    #[error("the token has expired")]
    Expired,
    #[error("the token is from the future")]
    FromTheFuture,
    #[error("the token is too old")]
    TooOld,
    #[error("the nonce is another or missing")]
    Nonce,
    #[error("the subject is another")]
    Subject,
    #[error("the access token is not the one that the ID token speaks of")]
    AccessTokenHash,
    #[error("a logout token must not have a nonce")]
    LogoutNonce,
    #[error("the token is no back-channel logout")]
    LogoutEvent,
    #[error("the logout token was used before")]
    Replayed,
}

/// A token that has been taken apart and not been believed yet.
#[derive(Debug)]
pub struct Unverified {
    alg: Alg,
    kid: Option<String>,
    typ: Option<String>,
    claims: Map<String, Value>,
    signed: String,
    signature: Vec<u8>,
}

/// Claims under a signature that one of the provider's keys made.
#[derive(Debug)]
pub struct Verified {
    pub claims: Map<String, Value>,
    /// Media type of the header, lower case, without `application/`.
    pub typ: Option<String>,
    alg: Alg,
    key: CoreJsonWebKey,
}

impl Unverified {
    /// Takes a compact token apart. Errors: `Malformed`, or `Algorithm` for one that is never accepted.
    pub fn parse(token: &str) -> Result<Self, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Malformed("longer than 64 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused::Malformed("not three parts"));
        };
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| Refused::Malformed("not base64url"))
        };
        let object = |bytes: Vec<u8>| {
            serde_json::from_slice::<Map<String, Value>>(&bytes)
                .map_err(|_| Refused::Malformed("not a JSON object"))
        };
        let h = object(decode(header)?)?;
        if h.contains_key("crit") {
            return Err(Refused::Malformed(
                "critical header fields are not understood",
            ));
        }
        if h.contains_key("cty") || h.contains_key("enc") {
            return Err(Refused::Malformed(
                "nested and encrypted tokens are not understood",
            ));
        }
        let alg = h
            .get("alg")
            .and_then(Value::as_str)
            .ok_or(Refused::Malformed("no algorithm"))?;
        let alg = ALLOWED
            .into_iter()
            .find(|a| serde_json::to_value(a).is_ok_and(|v| v == alg))
            .ok_or_else(|| Refused::Algorithm(alg.chars().take(20).collect()))?;
        let text = |name: &str| match h.get(name) {
            None => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(_) => Err(Refused::Malformed("a header field is no text")),
        };
        let typ = text("typ")?.map(|t| {
            let t = t.to_ascii_lowercase();
            t.strip_prefix("application/")
                .map(String::from)
                .unwrap_or(t)
        });
        Ok(Self {
            alg,
            kid: text("kid")?,
            typ,
            claims: object(decode(payload)?)?,
            signed: format!("{header}.{payload}"),
            signature: decode(signature)?,
        })
    }

    /// Verifies the signature with the provider's keys. `advertised`: what the discovery document
    /// says that ID tokens are signed with; nothing else is taken.
    /// Errors: `NoKey` when a fresh key set may help; anything else will not get better.
    pub fn verify(self, keys: &CoreJsonWebKeySet, advertised: &[Alg]) -> Result<Verified, Refused> {
        if !advertised.contains(&self.alg) {
            return Err(Refused::Algorithm(format!("{:?}", self.alg)));
        }
        let fitting: Vec<&CoreJsonWebKey> = keys.keys().iter().filter(|k| self.fits(k)).collect();
        if fitting.is_empty() {
            return Err(Refused::NoKey);
        }
        if self.kid.is_none() && fitting.len() > 1 {
            return Err(Refused::AmbiguousKey);
        }
        let key = fitting
            .into_iter()
            .find(|k| {
                k.verify_signature(&self.alg, self.signed.as_bytes(), &self.signature)
                    .is_ok()
            })
            .ok_or(Refused::Signature)?
            .clone();
        Ok(Verified {
            claims: self.claims,
            typ: self.typ,
            alg: self.alg,
            key,
        })
    }

    fn fits(&self, key: &CoreJsonWebKey) -> bool {
        use openidconnect::JsonWebKeyUse as _;
        let kid = self
            .kid
            .as_ref()
            .is_none_or(|kid| key.key_id().is_some_and(|k| k.as_str() == kid));
        let usage = key.key_use().is_none_or(|u| u.allows_signature());
        let kind = self.alg.key_type().as_ref() == Some(key.key_type());
        let alg = match key.signing_alg() {
            JsonWebKeyAlgorithm::Unspecified => true,
            JsonWebKeyAlgorithm::Algorithm(a) => *a == self.alg,
            JsonWebKeyAlgorithm::Unsupported => false,
        };
        kid && usage && kind && alg
    }
}

/// What the claims of every token are held against.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// Seconds since 1970.
    pub now: i64,
    /// Seconds that the clocks may differ.
    pub skew: i64,
}

impl Verified {
    /// A claim that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// A NumericDate (RFC 7519), to whole seconds.
    fn seconds(&self, name: &'static str) -> Result<Option<i64>, Refused> {
        match self.claims.get(name) {
            None => Ok(None),
            Some(v) => v
                .as_i64()
                .or_else(|| v.as_f64().filter(|f| f.is_finite()).map(|f| f as i64))
                .map(Some)
                .ok_or(Refused::Malformed("a date is no number")),
        }
    }

    /// Issuer, audience, authorised party and the dates (OpenID Connect Core 3.1.3.7).
    fn common(&self, e: &Expect) -> Result<(), Refused> {
        // Compared as text: `https://id.example.org` and `https://id.example.org/` are two issuers.
        if self.text("iss").ok_or(Refused::Missing("iss"))? != e.issuer {
            return Err(Refused::Issuer);
        }
        let audiences: Vec<&str> = match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => list
                .iter()
                .map(|a| a.as_str().ok_or(Refused::Audience))
                .collect::<Result<_, _>>()?,
            _ => return Err(Refused::Missing("aud")),
        };
        if !audiences.contains(&e.client_id) {
            return Err(Refused::Audience);
        }
        match self.claims.get("azp") {
            None if audiences.len() > 1 => return Err(Refused::AuthorizedParty),
            None => {}
            Some(azp) if azp.as_str() == Some(e.client_id) => {}
            Some(_) => return Err(Refused::AuthorizedParty),
        }
        let iat = self.seconds("iat")?.ok_or(Refused::Missing("iat"))?;
        if iat.saturating_sub(e.skew) > e.now {
            return Err(Refused::FromTheFuture);
        }
        if self
            .seconds("nbf")?
            .is_some_and(|nbf| nbf.saturating_sub(e.skew) > e.now)
        {
            return Err(Refused::FromTheFuture);
        }
        if self
            .seconds("exp")?
            .is_some_and(|exp| exp.saturating_add(e.skew) <= e.now)
        {
            return Err(Refused::Expired);
        }
        Ok(())
    }

    /// Holds the claims against what an ID token must say. `nonce`: the one that we sent; a token
    /// from a refresh may leave it away (`None` skips it) but must not bring another.
    /// Answers the subject.
    pub fn id_token(
        &self,
        e: &Expect,
        nonce: Option<&str>,
        access_token: &str,
    ) -> Result<&str, Refused> {
        if self.typ.as_deref().is_some_and(|t| t != "jwt") {
            return Err(Refused::Type(self.typ.clone().unwrap_or_default()));
        }
        self.common(e)?;
        self.seconds("exp")?.ok_or(Refused::Missing("exp"))?;
        let sub = self.text("sub").ok_or(Refused::Missing("sub"))?;
        // At most 255 ASCII characters (OpenID Connect Core 2).
        if sub.is_empty() || sub.len() > 255 || !sub.is_ascii() {
            return Err(Refused::Malformed("`sub` is empty, too long or not ASCII"));
        }
        if let Some(nonce) = nonce
            && !self
                .text("nonce")
                .is_some_and(|n| same(n.as_bytes(), nonce.as_bytes()))
        {
            return Err(Refused::Nonce);
        }
        if let Some(hash) = self.text("at_hash") {
            // The left half of the hash of the access token (OpenID Connect Core 3.1.3.6).
            let full = self
                .key
                .hash_bytes(access_token.as_bytes(), &self.alg)
                .map_err(|_| Refused::AccessTokenHash)?;
            if URL_SAFE_NO_PAD.encode(&full[..full.len() / 2]) != hash {
                return Err(Refused::AccessTokenHash);
            }
        }
        Ok(sub)
    }

    /// Holds the claims against what a logout token must say (OpenID Connect Back-Channel Logout 1.0,
    /// section 2.6). The caller has to see that `jti` comes only once.
    pub fn logout_token(&self, e: &Expect) -> Result<Logout, Refused> {
        if self
            .typ
            .as_deref()
            .is_some_and(|t| t != "logout+jwt" && t != "jwt")
        {
            return Err(Refused::Type(self.typ.clone().unwrap_or_default()));
        }
        self.common(e)?;
        let iat = self.seconds("iat")?.ok_or(Refused::Missing("iat"))?;
        // Old providers leave `exp` away; the specification recommends two minutes.
        let expires = self.seconds("exp")?.unwrap_or(iat.saturating_add(120));
        if expires.saturating_add(e.skew) <= e.now {
            return Err(Refused::TooOld);
        }
        if self.claims.contains_key("nonce") {
            return Err(Refused::LogoutNonce);
        }
        let event = "http://schemas.openid.net/event/backchannel-logout";
        if !self
            .claims
            .get("events")
            .and_then(|v| v.get(event))
            .is_some_and(Value::is_object)
        {
            return Err(Refused::LogoutEvent);
        }
        let jti = self
            .text("jti")
            .filter(|j| !j.is_empty() && j.len() <= 255)
            .ok_or(Refused::Missing("jti"))?;
        let own = |name: &str| self.text(name).filter(|t| !t.is_empty()).map(String::from);
        let (sid, sub) = (own("sid"), own("sub"));
        if sid.is_none() && sub.is_none() {
            return Err(Refused::Missing("sid or sub"));
        }
        Ok(Logout {
            jti: jti.to_owned(),
            expires: expires.saturating_add(e.skew),
            sid,
            sub,
        })
    }
}

/// Which sessions the provider ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    pub jti: String,
    /// Seconds since 1970 until which the `jti` has to be remembered.
    pub expires: i64,
    pub sid: Option<String>,
    pub sub: Option<String>,
}

/// Are they equal? Takes the same time wherever they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    use sha2::{Digest as _, Sha256};
    let (a, b) = (Sha256::digest(a), Sha256::digest(b));
    a.iter()
        .zip(b.iter())
        .fold(0u8, |acc, (x, y)| acc | (x ^ y))
        == 0
}
