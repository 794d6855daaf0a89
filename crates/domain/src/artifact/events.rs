//! Notifications that a registry of the CNCF distribution project sends
//! (`application/vnd.docker.distribution.events.v2+json`).

use serde::{Deserialize, Serialize};

use super::{
    malformed::Malformed,
    names::{is_repository_name, is_tag},
};
use crate::{ids::Digest, time::Micros};

/// Largest notification that is read.
pub const MAX_EVENTS_BYTES: usize = 1024 * 1024;
/// Most events of one notification.
pub const MAX_EVENTS: usize = 1_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventAction {
    /// A manifest was pushed, or a tag set.
    Pushed,
    /// A manifest or a tag was deleted.
    Deleted,
}

/// Something happened to an artifact. A notification is a hint to look, never a fact: the registry
/// is asked before anything is believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RegistryEvent {
    /// The repository.
    pub repository: String,
    /// The tag, where one was involved.
    pub tag: Option<String>,
    /// The digest, where it is known.
    pub digest: Option<Digest>,
    /// What happened.
    pub action: EventAction,
    /// When the registry says that it did.
    pub at: Option<Micros>,
}

#[derive(Deserialize)]
struct Envelope {
    events: Vec<RawEvent>,
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(default)]
    action: String,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    target: Option<RawTarget>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTarget {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    repository: String,
    #[serde(default)]
    tag: String,
}

/// Reads a notification. Pulls, pushes of single layers and what we do not know are passed over;
/// each remaining event occurs once.
pub fn parse_events(bytes: &[u8]) -> Result<Vec<RegistryEvent>, Malformed> {
    let wrong = |problem: String| Malformed::new("The notification", problem);
    if bytes.len() > MAX_EVENTS_BYTES {
        return Err(wrong("is larger than 1 MiB".into()));
    }
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| {
        wrong(format!("is not a JSON object with a list “events” as the registry documents it (line {}, column {})", e.line(), e.column()))
    })?;
    if envelope.events.len() > MAX_EVENTS {
        return Err(wrong(format!("holds more than {MAX_EVENTS} events")));
    }
    let mut out: Vec<RegistryEvent> = Vec::new();
    for raw in envelope.events {
        if let Some(event) = read(raw)
            && !out.contains(&event)
        {
            out.push(event);
        }
    }
    Ok(out)
}

fn read(raw: RawEvent) -> Option<RegistryEvent> {
    let action = match raw.action.as_str() {
        "push" | "mount" => EventAction::Pushed,
        "delete" => EventAction::Deleted,
        _ => return None,
    };
    let target = raw.target?;
    if !is_repository_name(&target.repository) {
        return None;
    }
    let manifest =
        target.media_type.contains("manifest") || target.media_type.contains("image.index");
    if action == EventAction::Pushed && !manifest && target.tag.is_empty() {
        return None;
    }
    Some(RegistryEvent {
        repository: target.repository,
        tag: Some(target.tag).filter(|tag| is_tag(tag)),
        digest: target.digest.parse().ok(),
        action,
        at: raw.timestamp.as_deref().and_then(Micros::parse),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pushes_and_deletions_of_manifests_are_read() {
        let digest = Digest::of(b"x");
        let body = format!(
            r#"{{"events":[
            {{"id":"1","timestamp":"2026-01-02T03:04:05.6Z","action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","repository":"models/llama","tag":"v1"}}}},
            {{"id":"2","timestamp":"2026-01-02T03:04:05.6Z","action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","repository":"models/llama","tag":"v1"}}}},
            {{"action":"push","target":{{"mediaType":"application/octet-stream","digest":"{digest}","repository":"models/llama"}}}},
            {{"action":"pull","target":{{"repository":"models/llama","tag":"v1"}}}},
            {{"action":"push","target":{{"mediaType":"application/vnd.oci.image.manifest.v1+json","repository":"../x","tag":"v1"}}}},
            {{"action":"delete","target":{{"digest":"{digest}","repository":"models/llama"}}}}]}}"#
        );
        let events = parse_events(body.as_bytes()).unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(
            (events[0].tag.as_deref(), events[0].action),
            (Some("v1"), EventAction::Pushed)
        );
        assert_eq!(
            (&events[1].digest, events[1].action),
            (&Some(digest), EventAction::Deleted)
        );
    }

    #[test]
    fn what_is_no_notification_is_refused() {
        for body in ["", "{}", "[]", r#"{"events":{}}"#, r#"{"events":[1]}"#] {
            assert!(parse_events(body.as_bytes()).is_err(), "{body}");
        }
        let many = format!(r#"{{"events":[{}]}}"#, vec!["{}"; MAX_EVENTS + 1].join(","));
        assert!(parse_events(many.as_bytes()).is_err());
        assert!(parse_events(&vec![b' '; MAX_EVENTS_BYTES + 1]).is_err());
        assert_eq!(parse_events(br#"{"events":[{}]}"#).unwrap(), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_events(&bytes);
        }
    }
}
