//! The Secrets of a place, as the person may list them: names and the names of their keys, never values.

use crate::{Caller, Ctx, ports::*};
use domain::place::Place;
use serde::{Deserialize, Serialize};

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
    let listed = match ctx
        .clusters
        .identity(cluster, &caller.username, &caller.groups.groups)
    {
        Ok(who) => ctx.clusters.secrets(cluster, &who, &place.namespace).await,
        Err(e) => {
            return Secrets::Unknown {
                why: format!("Names of Secrets cannot be checked: {}.", e.message),
            };
        }
    };
    match listed {
        Ok(all) => Secrets::Listed(all),
        Err(Refusal::Forbidden { .. }) => Secrets::Unknown {
            why: format!(
                "You may not list the Secrets of {}, so their names can neither be offered nor checked; they are taken as written.",
                place.namespace
            ),
        },
        Err(other) => Secrets::Unknown {
            why: format!(
                "Names of Secrets cannot be checked now: {}.",
                crate::prepare::refused(other).0.trim_end_matches('.')
            ),
        },
    }
}
