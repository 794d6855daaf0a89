//! Volume claims and service accounts that a manifest and its runtimes name, looked for as the person may.

use crate::{Caller, Ctx, ports::*, secrets::PAGE_WAITS};
use domain::{
    observed::Runtime,
    place::Place,
    references::{Referred, named},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// So many are looked for; a manifest that names more is not worth as many calls.
const LOOKED_FOR: usize = 20;

/// What came of looking.
#[derive(Default)]
pub(crate) struct Looked {
    /// What is not there for certain.
    pub absent: Vec<(Referred, String)>,
    /// Why something could not be looked at; nothing may be concluded of it.
    pub unchecked: Option<String>,
}

/// Looks for each name once, with the caller's rights. The caller's right to the place was checked.
pub(crate) async fn look(
    ctx: &Ctx,
    caller: &Caller,
    place: &Place,
    manifest: &Value,
    runtimes: &[Runtime],
) -> Looked {
    let wanted: BTreeSet<(Referred, String)> = named(manifest, runtimes)
        .into_iter()
        .map(|r| (r.kind, r.name))
        .collect();
    if wanted.is_empty() {
        return Looked::default();
    }
    let cluster = &place.cluster_name;
    let unchecked = |why: &str| Looked {
        absent: Vec::new(),
        unchecked: Some(format!(
            "Volume claims and service accounts could not be looked at; they are taken as written. {why}"
        )),
    };
    let who = match ctx.asks_as(cluster, caller) {
        Ok(who) => who,
        Err(why) => return unchecked(&why),
    };
    let who = &who;
    let asked = wanted
        .into_iter()
        .take(LOOKED_FOR)
        .map(|(kind, name)| async move {
            let there = ctx
                .clusters
                .exists(cluster, who, &place.namespace, kind, &name)
                .await;
            (kind, name, there)
        });
    let answers = match tokio::time::timeout(PAGE_WAITS, futures::future::join_all(asked)).await {
        Ok(answers) => answers,
        Err(_) => return unchecked(&format!("Cluster {cluster} does not answer in time.")),
    };
    let mut looked = Looked::default();
    for (kind, name, there) in answers {
        match there {
            Ok(true) => {}
            Ok(false) => looked.absent.push((kind, name)),
            Err(Refusal::Forbidden { .. }) => {
                looked.unchecked = unchecked(&format!(
                    "You may not read the {} of {}.",
                    kind.resource(),
                    place.namespace
                ))
                .unchecked;
            }
            Err(other) => {
                looked.unchecked = unchecked(&crate::prepare::refused(other).0).unchecked;
            }
        }
    }
    looked
}
