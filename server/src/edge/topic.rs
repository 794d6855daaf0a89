//! What a stream of news may be about, and who may follow it.

use super::state::AppState;
use domain::{Error, Result, ids::ChangeId, place::DeploymentKey};
use services::Caller;

/// What a stream may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    Deployment(DeploymentKey),
    Deployments,
    Queue,
    Change(ChangeId),
    Registries,
}

impl Topic {
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid("there is no such topic").remedy("Topics are deployments, deployment:<cluster>/<namespace>/<name>, queue, change:<id> and registries.")
        };
        match text.split_once(':') {
            None if text == "deployments" => Ok(Self::Deployments),
            None if text == "queue" => Ok(Self::Queue),
            None if text == "registries" => Ok(Self::Registries),
            Some(("change", id)) => Ok(Self::Change(id.parse()?)),
            Some(("deployment", key)) => {
                let parts: Vec<&str> = key.split('/').collect();
                match parts[..] {
                    [c, ns, n]
                        if !c.is_empty() && !ns.is_empty() && !n.is_empty() && key.len() <= 400 =>
                    {
                        Ok(Self::Deployment(DeploymentKey::new(c, ns, n)))
                    }
                    _ => Err(bad()),
                }
            }
            _ => Err(bad()),
        }
    }

    /// Errors unless this caller may look at it.
    pub async fn check(&self, state: &AppState, caller: &Caller) -> Result<()> {
        match self {
            Self::Deployment(key) => state.services.deployments.may_view(caller, key).await,
            Self::Change(id) => state.services.changes.may_view(caller, *id).await,
            Self::Registries => state.services.registries.mark(caller).await.map(|_| ()),
            // Only what the caller may see is told of.
            Self::Deployments | Self::Queue => Ok(()),
        }
    }

    /// Do the clusters' watches push it?
    pub fn live(&self) -> bool {
        matches!(self, Self::Deployment(_) | Self::Deployments)
    }

    /// Is what changed a part of it that this caller sees?
    pub fn concerns(&self, state: &AppState, caller: &Caller, changed: &DeploymentKey) -> bool {
        match self {
            Self::Deployment(key) => changed == key,
            Self::Deployments => state.services.deployments.sees(caller, changed),
            _ => false,
        }
    }

    /// Another text whenever it looks different to this caller; pages are rendered with the same.
    pub async fn mark(&self, state: &AppState, caller: &Caller) -> Result<String> {
        let services = &state.services;
        match self {
            Self::Change(id) => services.changes.mark(caller, *id).await,
            Self::Queue => services.changes.queue_mark(caller).await,
            Self::Registries => services.registries.mark(caller).await,
            Self::Deployment(_) | Self::Deployments => {
                Ok(services.deployments.cursor().to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        assert_eq!(Topic::parse("queue").expect("topic"), Topic::Queue);
        assert_eq!(
            Topic::parse("registries").expect("topic"),
            Topic::Registries
        );
        assert_eq!(
            Topic::parse("deployment:onprem-1/retail-prod/llama").expect("topic"),
            Topic::Deployment(DeploymentKey::new("onprem-1", "retail-prod", "llama"))
        );
        for bad in [
            "",
            "queue:x",
            "deployment:a/b",
            "deployment:a//c",
            "change:1",
            "secrets",
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad}");
        }
    }
}
