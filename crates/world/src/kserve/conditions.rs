//! Conditions as Knative's libraries keep them, with `Ready` as their sum.
//! The order of the marks matters: the last part marked `False` gives `Ready`
//! its reason, and a part marked `True` makes it look for another culprit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The parts that `Ready` depends on.
const PARTS: [&str; 2] = ["PredictorReady", "IngressReady"];

/// One condition without its times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub status: String,
    pub reason: String,
    pub message: String,
    /// `Info` for what does not count into `Ready`.
    pub info: bool,
}

impl Mark {
    /// A mark with status `True`, `False` or `Unknown`.
    pub fn new(status: &str, reason: &str, message: &str) -> Self {
        Self {
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            info: false,
        }
    }

    /// The same, of severity `Info`.
    pub fn info(status: &str, reason: &str) -> Self {
        Self {
            info: true,
            ..Self::new(status, reason, "")
        }
    }
}

/// A set of conditions on its way from one status to the next.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    marks: BTreeMap<String, Mark>,
    before: BTreeMap<String, (Mark, String)>,
}

impl Conditions {
    /// Reads `status.conditions`.
    pub fn read(conditions: &Value) -> Self {
        let text =
            |condition: &Value, key: &str| condition[key].as_str().unwrap_or_default().to_owned();
        let before: BTreeMap<String, (Mark, String)> = conditions
            .as_array()
            .into_iter()
            .flatten()
            .map(|condition| {
                let mark = Mark {
                    status: text(condition, "status"),
                    reason: text(condition, "reason"),
                    message: text(condition, "message"),
                    info: condition["severity"] == "Info",
                };
                (
                    text(condition, "type"),
                    (mark, text(condition, "lastTransitionTime")),
                )
            })
            .collect();
        let marks = before
            .iter()
            .map(|(kind, (mark, _))| (kind.clone(), mark.clone()))
            .collect();
        Self { marks, before }
    }

    /// Gives every part that has no condition yet the status `Unknown`.
    pub fn initialise(&mut self) {
        for kind in PARTS.into_iter().chain(["Ready"]) {
            self.marks
                .entry(kind.into())
                .or_insert_with(|| Mark::new("Unknown", "", ""));
        }
    }

    /// Sets a condition, and `Ready` where it depends on it.
    pub fn mark(&mut self, kind: &str, mark: Mark) {
        self.marks.insert(kind.into(), mark.clone());
        if mark.info {
            return;
        }
        if mark.status == "True" {
            let culprit = PARTS
                .into_iter()
                .filter_map(|part| self.marks.get(part))
                .filter(|mark| mark.status != "True")
                .min_by_key(|mark| mark.status != "False")
                .cloned();
            let ready = culprit.unwrap_or_else(|| Mark::new("True", "", ""));
            self.marks.insert("Ready".into(), ready);
        } else {
            self.marks.insert("Ready".into(), mark);
        }
    }

    /// Takes a condition away.
    pub fn clear(&mut self, kind: &str) {
        self.marks.remove(kind);
    }

    /// Whether a condition is `True`.
    pub fn is_true(&self, kind: &str) -> bool {
        self.marks
            .get(kind)
            .is_some_and(|mark| mark.status == "True")
    }

    /// The types whose status is `False` and not of severity `Info`, in order.
    pub fn failing(&self) -> Vec<String> {
        self.marks
            .iter()
            .filter(|(_, mark)| mark.status == "False" && !mark.info)
            .map(|(kind, _)| kind.clone())
            .collect()
    }

    /// `status.conditions`: sorted by type, with `now` as the time of those
    /// that changed in any way.
    pub fn write(&self, now: &str) -> Value {
        self.marks
            .iter()
            .map(|(kind, mark)| {
                let since = match self.before.get(kind) {
                    Some((before, since)) if before == mark => since,
                    _ => now,
                };
                let mut condition = json!({
                    "type": kind,
                    "status": mark.status,
                    "lastTransitionTime": since,
                });
                if !mark.reason.is_empty() {
                    condition["reason"] = json!(mark.reason);
                }
                if !mark.message.is_empty() {
                    condition["message"] = json!(mark.message);
                }
                if mark.info {
                    condition["severity"] = json!("Info");
                }
                condition
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_false_part_gives_ready_its_reason_until_it_turns_true() {
        let mut conditions = Conditions::default();
        conditions.initialise();
        conditions.mark("PredictorReady", Mark::new("False", "A", "a"));
        conditions.mark("IngressReady", Mark::new("False", "B", "b"));
        assert_eq!(conditions.marks["Ready"].reason, "B");
        conditions.mark("IngressReady", Mark::new("True", "", ""));
        assert_eq!(conditions.marks["Ready"].reason, "A");
        conditions.mark("Stopped", Mark::info("False", ""));
        assert_eq!(conditions.marks["Ready"].reason, "A");
        conditions.mark("PredictorReady", Mark::new("True", "C", ""));
        assert!(conditions.is_true("Ready"));
        assert_eq!(conditions.marks["Ready"].reason, "");
    }

    #[test]
    fn times_move_only_with_content() {
        let before = json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": "then"},
            {"type": "PredictorReady", "status": "True", "reason": "X", "lastTransitionTime": "then"},
        ]);
        let mut conditions = Conditions::read(&before);
        conditions.mark("PredictorReady", Mark::new("True", "Y", ""));
        let written = conditions.write("now");
        assert_eq!(written[0]["lastTransitionTime"], "now");
        assert_eq!(written[1]["lastTransitionTime"], "then");
    }
}
