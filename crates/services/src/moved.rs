//! Is what runs still what somebody looked at?

use domain::{
    change::Revision,
    content::{Action, differs_from_approved, served_differences},
    isvc::{STOP, View},
};
use serde_json::Value;

/// What became other in the live object since the revision was made: paths, or a sentence. Only what
/// decides what is served counts. Empty too where it came to be just what is asked for.
pub(crate) fn since(revision: &Revision, live: Option<&Value>) -> Vec<String> {
    let deleting = revision.content.action == Action::Delete;
    let seen = &revision.seen;
    match (&seen.live, live) {
        (None, None) => vec![],
        (None, Some(_)) => vec!["there is a deployment of this name now".into()],
        // Gone already is what a deletion wants.
        (Some(_), None) if deleting => vec![],
        (Some(_), None) => vec!["the deployment is gone".into()],
        (Some(before), Some(live)) => {
            if seen.live_uid.is_some() && seen.live_uid.as_deref() != View::new(live).uid() {
                return vec!["the deployment was deleted and made anew".into()];
            }
            if deleting {
                // Stopping something first takes nothing from the decision to delete it.
                let stop = format!("metadata.annotations.{STOP}");
                let mut paths = served_differences(before, live);
                paths.retain(|p| *p != stop);
                return paths;
            }
            if differs_from_approved(&revision.content.object, live).is_empty() {
                return vec![];
            }
            served_differences(before, live)
        }
    }
}

/// The first few of them, for a sentence.
pub(crate) fn few(paths: &[String]) -> String {
    const SHOWN: usize = 6;
    let mut text = paths[..paths.len().min(SHOWN)].join(", ");
    if paths.len() > SHOWN {
        text.push_str(&format!(" and {} more", paths.len() - SHOWN));
    }
    text
}
