//! Whether a draft goes where its owner may ask for deployments: YAML may name any place.

use super::Wizard;
use crate::{Caller, authz::Action};
use domain::{Error, Kind};

/// So many places are named; the Target step has all.
const NAMED: usize = 8;

impl Wizard {
    /// What was refused because of its place, said so that somebody who sits before the wizard can act on
    /// it. What is not there and what is not theirs stay one answer.
    pub(super) fn out_of_reach(
        &self,
        caller: &Caller,
        cluster: &str,
        namespace: &str,
        e: Error,
    ) -> Error {
        if !matches!(e.kind, Kind::Forbidden | Kind::NotFound) {
            return e;
        }
        let places = self.places(caller);
        if places.iter().any(|(c, n)| c == cluster && n == namespace) {
            return e;
        }
        Error::field("namespace", words(cluster, namespace, &places))
    }

    /// Where the caller may ask for deployments: cluster and namespace.
    fn places(&self, caller: &Caller) -> Vec<(String, String)> {
        let ctx = &self.0;
        let mut places = Vec::new();
        for cluster in ctx.clusters.names() {
            for n in ctx.clusters.namespaces(&cluster) {
                if ctx.policy.may(caller, Action::RequestChange, &n.scope) {
                    places.push((cluster.clone(), n.name));
                }
            }
        }
        places
    }
}

fn words(cluster: &str, namespace: &str, places: &[(String, String)]) -> String {
    let refused = format!(
        "You may not ask for deployments in the namespace “{namespace}” of the cluster “{cluster}”, or there is no such namespace."
    );
    if places.is_empty() {
        return format!(
            "{refused} There is no namespace where you may: ask for a role in your business unit."
        );
    }
    let mut named: Vec<String> = places
        .iter()
        .take(NAMED)
        .map(|(c, n)| format!("{c} / {n}"))
        .collect();
    if places.len() > NAMED {
        named.push(format!("{} more", places.len() - NAMED));
    }
    format!(
        "{refused} Choose another one on the Target step, or name it in the YAML; you may use: {}.",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_out_of_reach_is_named_with_those_within() {
        let place = |n: usize| ("one".to_owned(), format!("team-{n}"));
        let said = words("one", "theirs", &[place(1), place(2)]);
        for part in [
            "“theirs”",
            "“one”",
            "Target step",
            "one / team-1, one / team-2.",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let many: Vec<_> = (0..11).map(place).collect();
        assert!(words("one", "theirs", &many).ends_with("one / team-7, 3 more."));
        assert!(words("one", "theirs", &[]).contains("ask for a role"));
    }
}
