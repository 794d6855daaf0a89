//! From a record to its exact bytes and back.

use crate::{
    Actor, Keyring, NewRecord, Phase, Record, RecordOutcome, Retention,
    keyring::{NONCE, PersonKey, open, seal},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Error, Micros, Result, ids::*};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form that [`encode`] writes. Older forms stay readable.
pub const VERSION: u32 = 1;

/// The most bytes that a record may have.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// RFC 8785 writes numbers as IEEE doubles: whole numbers beyond this would change.
const MAX_EXACT: u64 = 1 << 53;

/// What it takes to seal the personal part of one record.
pub struct Seal<'a> {
    pub keyring: &'a Keyring,
    /// The acting person's key.
    pub key: &'a PersonKey,
    /// 24 bytes that were never used with this key: random ones.
    pub nonce: [u8; NONCE],
}

/// A record as it is written. Members that are absent are left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    seq: i64,
    id: RecordId,
    at: Micros,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<RecordId>,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<WrittenActor>,
    object: String,
    unit: String,
    environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<RecordOutcome>,
    detail: Value,
    retention: Retention,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenActor {
    /// Pseudonym of the person.
    person: String,
    /// Pseudonym of the person they act for.
    #[serde(skip_serializing_if = "Option::is_none")]
    acting_for: Option<String>,
    roles: Vec<String>,
    /// base64url of nonce, ciphertext and tag over [`Personal`] as JSON.
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Personal {
    person: PersonId,
    account: AccountId,
    name: String,
    username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acting_for: Option<PersonId>,
}

/// What a sealed part belongs to: it does not open in another record or under another name.
fn purpose(id: RecordId, pseudonym: &str) -> Vec<u8> {
    format!("gatehouse audit record v1 {id} {pseudonym}").into_bytes()
}

/// The exact bytes of a record at its position. `seal` is needed exactly when somebody acted.
///
/// Whole numbers in `detail` that a double cannot hold are written as text.
///
/// Errors: `Internal` without a seal where one is needed; `TooLarge` beyond [`MAX_RECORD_BYTES`].
pub fn encode(seq: i64, record: &NewRecord, with: Option<&Seal<'_>>) -> Result<Vec<u8>> {
    let actor = match (&record.actor, with) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(Error::internal(
                "an audit record names a person and there is no key to seal it with",
            ));
        }
        (Some(actor), Some(with)) => Some(write_actor(record.id, actor, with)?),
    };
    let mut detail = record.detail.clone();
    exact_numbers(&mut detail);
    let written = Written {
        v: VERSION,
        seq,
        id: record.id,
        at: record.at,
        phase: record.phase,
        intent: record.intent,
        action: record.action.clone(),
        actor,
        object: record.object.clone(),
        unit: record.unit.clone(),
        environment: record.environment.clone(),
        change: record.change,
        reason: record.reason.clone(),
        outcome: record.outcome,
        detail,
        retention: record.retention,
    };
    let bytes = serde_json_canonicalizer::to_vec(&written).map_err(Error::internal)?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(Error::new(
            domain::Kind::TooLarge,
            "this is too large to be recorded in the audit log",
        )
        .remedy("Make the change smaller."));
    }
    Ok(bytes)
}

fn write_actor(id: RecordId, actor: &Actor, with: &Seal<'_>) -> Result<WrittenActor> {
    let pseudonym = with.keyring.pseudonym(actor.person);
    let personal = Personal {
        person: actor.person,
        account: actor.account,
        name: actor.name.clone(),
        username: actor.username.clone(),
        session: actor.session.clone(),
        address: actor.address.clone(),
        acting_for: actor.acting_for,
    };
    let plain = serde_json::to_vec(&personal).map_err(Error::internal)?;
    let sealed = seal(
        with.key.bytes(),
        &with.nonce,
        &purpose(id, &pseudonym),
        &plain,
    )?;
    Ok(WrittenActor {
        acting_for: actor.acting_for.map(|p| with.keyring.pseudonym(p)),
        person: pseudonym,
        roles: actor.roles.clone(),
        sealed: URL_SAFE_NO_PAD.encode(sealed),
    })
}

fn exact_numbers(value: &mut Value) {
    match value {
        Value::Number(n) => {
            let exact = match (n.as_u64(), n.as_i64()) {
                (Some(u), _) => u <= MAX_EXACT,
                (None, Some(i)) => i.unsigned_abs() <= MAX_EXACT,
                (None, None) => true,
            };
            if !exact {
                *value = Value::String(n.to_string());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(exact_numbers),
        Value::Object(map) => map.values_mut().for_each(exact_numbers),
        _ => {}
    }
}

/// Reads a record back. Without `key` (it was destroyed), or with one that does not open it, who
/// acted is [`Actor::erased`].
///
/// Errors: `Internal` when these are not the bytes of a record.
pub fn decode(bytes: &[u8], key: Option<&PersonKey>) -> Result<Record> {
    let w: Written = serde_json::from_slice(bytes).map_err(Error::internal)?;
    if w.v != VERSION {
        return Err(Error::internal(format!(
            "audit record {} has the unknown form {}",
            w.seq, w.v
        )));
    }
    let actor = w.actor.map(|a| {
        let personal = key.and_then(|key| {
            let sealed = URL_SAFE_NO_PAD.decode(&a.sealed).ok()?;
            let plain = open(key.bytes(), &purpose(w.id, &a.person), &sealed)?;
            serde_json::from_slice::<Personal>(&plain).ok()
        });
        match personal {
            None => Actor::erased(a.roles),
            Some(p) => Actor {
                person: p.person,
                account: p.account,
                name: p.name,
                username: p.username,
                roles: a.roles,
                session: p.session,
                address: p.address,
                acting_for: p.acting_for,
            },
        }
    });
    Ok(Record {
        seq: w.seq,
        hash: Digest::of(bytes),
        record: NewRecord {
            id: w.id,
            at: w.at,
            phase: w.phase,
            intent: w.intent,
            action: w.action,
            actor,
            object: w.object,
            unit: w.unit,
            environment: w.environment,
            change: w.change,
            reason: w.reason,
            outcome: w.outcome,
            detail: w.detail,
            retention: w.retention,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn record() -> NewRecord {
        NewRecord {
            id: RecordId(Uuid::from_u128(1)),
            at: Micros(1_790_000_000_000_000),
            phase: Phase::Intent,
            intent: None,
            action: "item.apply".into(),
            actor: Some(Actor {
                person: PersonId(Uuid::from_u128(2)),
                account: AccountId(Uuid::from_u128(3)),
                name: "Ada Example".into(),
                username: "ada".into(),
                roles: vec!["ai-engineer".into()],
                session: Some("s1".into()),
                address: Some("192.0.2.7".into()),
                acting_for: Some(PersonId(Uuid::from_u128(4))),
            }),
            object: "deployment:onprem-1/retail-dev/llama".into(),
            unit: "retail".into(),
            environment: "development".into(),
            change: Some(ChangeId(Uuid::from_u128(5))),
            reason: None,
            outcome: None,
            detail: json!({"b": 1, "a": [1.5, "x"]}),
            retention: Retention::Decision,
        }
    }

    fn encoded(record: &NewRecord) -> (Vec<u8>, PersonKey) {
        let (ring, key) = (Keyring::new(&[1; 32]), PersonKey::new([2; 32]));
        let bytes = encode(
            7,
            record,
            Some(&Seal {
                keyring: &ring,
                key: &key,
                nonce: [3; NONCE],
            }),
        )
        .expect("encodes");
        (bytes, key)
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        let (bytes, key) = encoded(&record());
        let back = decode(&bytes, Some(&key)).expect("decodes");
        assert_eq!((back.seq, &back.record), (7, &record()));
        assert_eq!(back.hash, Digest::of(&bytes));
    }

    #[test]
    fn the_bytes_are_canonical_and_name_nobody() {
        let text = String::from_utf8(encoded(&record()).0).expect("JSON");
        assert!(
            text.starts_with(r#"{"action":"item.apply","actor":{"acting_for":""#),
            "{text}"
        );
        for secret in [
            "Ada",
            "ada\"",
            "192.0.2.7",
            "00000000-0000-0000-0000-000000000002",
        ] {
            assert!(!text.contains(secret), "{secret} stands in {text}");
        }
        let again: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            serde_json_canonicalizer::to_string(&again).expect("canonical"),
            text
        );
    }

    #[test]
    fn without_the_key_the_rest_is_still_readable() {
        let (bytes, _) = encoded(&record());
        for key in [None, Some(PersonKey::new([9; 32]))] {
            let actor = decode(&bytes, key.as_ref())
                .expect("decodes")
                .record
                .actor
                .expect("somebody");
            assert!(actor.is_erased());
            assert_eq!(actor.roles, ["ai-engineer"]);
        }
    }

    #[test]
    fn a_personal_part_does_not_open_in_another_record() {
        let (bytes, key) = encoded(&record());
        let other = String::from_utf8(bytes).expect("JSON").replace(
            "00000000-0000-0000-0000-000000000001",
            "00000000-0000-0000-0000-000000000009",
        );
        assert!(
            decode(other.as_bytes(), Some(&key))
                .expect("decodes")
                .record
                .actor
                .expect("somebody")
                .is_erased()
        );
    }

    #[test]
    fn a_person_is_never_written_without_a_seal_nor_a_record_without_end() {
        assert!(encode(1, &record(), None).is_err());
        let mut console = NewRecord {
            actor: None,
            ..record()
        };
        assert!(encode(1, &console, None).is_ok());
        console.reason = Some("x".repeat(MAX_RECORD_BYTES));
        assert_eq!(
            encode(1, &console, None).expect_err("too large").kind,
            domain::Kind::TooLarge
        );
    }

    #[test]
    fn large_whole_numbers_survive_as_text() {
        let console = NewRecord {
            actor: None,
            detail: json!({"n": u64::MAX, "m": i64::MIN, "k": 1u64 << 53}),
            ..record()
        };
        let back = decode(&encode(1, &console, None).expect("encodes"), None).expect("decodes");
        assert_eq!(
            back.record.detail,
            json!({"n": u64::MAX.to_string(), "m": i64::MIN.to_string(), "k": 1u64 << 53})
        );
    }

    #[test]
    fn strange_bytes_are_an_error() {
        for bad in ["", "{}", "null", r#"{"v":2}"#] {
            assert!(decode(bad.as_bytes(), None).is_err());
        }
    }
}
