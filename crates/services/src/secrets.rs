//! The Secrets of a place, as the person may list them: names and the names of their keys, never values.

use crate::{Caller, Ctx, ports::*};
use domain::place::Place;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a page waits for the names: it is worth showing without them.
pub(crate) const PAGE_WAITS: Duration = Duration::from_secs(2);

/// What is known of a place's Secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Secrets {
    #[default]
    NotAsked,
    /// Each name with its keys.
    Listed(Vec<(String, Vec<String>)>),
    /// They could not be listed, and nothing may be concluded from that.
    Unknown { why: String },
}

impl Secrets {
    /// For preflight; `None`: not known.
    pub fn names(&self) -> Option<Vec<String>> {
        match self {
            Self::Listed(all) => Some(all.iter().map(|(name, _)| name.clone()).collect()),
            Self::NotAsked | Self::Unknown { .. } => None,
        }
    }
}

/// Asks the cluster, with the caller's rights. The caller's right to the place was checked: only who
/// has a [`Place`] gets here.
pub(crate) async fn of(ctx: &Ctx, caller: &Caller, place: &Place) -> Secrets {
    let cluster = &place.cluster_name;
    let unchecked = |why: &str| Secrets::Unknown {
        why: format!("Names of Secrets can be neither offered nor checked now. {why}"),
    };
    let who = match ctx.asks_as(cluster, caller) {
        Ok(who) => who,
        Err(why) => return unchecked(&why),
    };
    let asked = ctx.clusters.secrets(cluster, &who, &place.namespace);
    match tokio::time::timeout(PAGE_WAITS, asked).await {
        Ok(Ok(all)) => Secrets::Listed(all),
        Ok(Err(Refusal::Forbidden { .. })) => Secrets::Unknown {
            why: format!(
                "You may not list the Secrets of {}, so their names can neither be offered nor checked; they are taken as written.",
                place.namespace
            ),
        },
        Ok(Err(other)) => unchecked(&crate::prepare::refused(other).0),
        Err(_) => unchecked(&format!("Cluster {cluster} does not answer in time.")),
    }
}
