//! Authorisation: one question, answered by the Cedar policy in `policy.cedar`.

use crate::Caller;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
};
use domain::{
    Error, Result,
    access::{Role, Scope},
    ids::Digest,
};
use std::collections::{HashMap, HashSet};

/// What one may want to do; the names are the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    ViewDeployment,
    ViewChange,
    ViewCatalog,
    RequestChange,
    StopDeployment,
    ManageRegistries,
    ViewRegistries,
    SyncRegistry,
    ViewClusters,
    ViewAudit,
}

impl Action {
    pub const ALL: [Self; 10] = [
        Self::ViewDeployment,
        Self::ViewChange,
        Self::ViewCatalog,
        Self::RequestChange,
        Self::StopDeployment,
        Self::ManageRegistries,
        Self::ViewRegistries,
        Self::SyncRegistry,
        Self::ViewClusters,
        Self::ViewAudit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ViewDeployment => "view-deployment",
            Self::ViewChange => "view-change",
            Self::ViewCatalog => "view-catalog",
            Self::RequestChange => "request-change",
            Self::StopDeployment => "stop-deployment",
            Self::ManageRegistries => "manage-registries",
            Self::ViewRegistries => "view-registries",
            Self::SyncRegistry => "sync-registry",
            Self::ViewClusters => "view-clusters",
            Self::ViewAudit => "view-audit",
        }
    }
}

const POLICY: &str = include_str!("policy.cedar");

/// The policy, evaluated once for each role and action at start: roles are all that it looks at, so
/// a list of ten thousand rows costs set look-ups and no evaluation.
pub struct Policy {
    allowed: HashMap<Action, HashSet<Role>>,
    version: Digest,
}

impl Policy {
    /// Reads the built-in policy. Errors: `Internal` when it does not parse, which a test rules out.
    pub fn built_in() -> Result<Self> {
        let set: PolicySet = POLICY.parse().map_err(Error::internal)?;
        let mut allowed: HashMap<Action, HashSet<Role>> = HashMap::new();
        for action in Action::ALL {
            for role in Role::ALL {
                if evaluate(&set, role, action)? {
                    allowed.entry(action).or_default().insert(role);
                }
            }
        }
        Ok(Self {
            allowed,
            version: Digest::of(POLICY.as_bytes()),
        })
    }

    /// Digest of the policy's text; recorded with each decision.
    pub fn version(&self) -> &Digest {
        &self.version
    }

    pub fn role_may(&self, role: Role, action: Action) -> bool {
        self.allowed
            .get(&action)
            .is_some_and(|roles| roles.contains(&role))
    }

    /// May the caller do this in this place?
    pub fn may(&self, caller: &Caller, action: Action, scope: &Scope) -> bool {
        caller
            .grants
            .iter()
            .any(|g| self.role_may(g.role, action) && g.covers(scope))
    }

    /// May the caller do this anywhere?
    pub fn may_anywhere(&self, caller: &Caller, action: Action) -> bool {
        caller.grants.iter().any(|g| self.role_may(g.role, action))
    }

    /// Where the caller may do this, as patterns for filters.
    pub fn scopes(&self, caller: &Caller, action: Action) -> Vec<(Vec<String>, Vec<String>)> {
        caller.scopes_of(|role| self.role_may(role, action))
    }
}

fn evaluate(set: &PolicySet, role: Role, action: Action) -> Result<bool> {
    let uid = |text: String| text.parse::<EntityUid>().map_err(Error::internal);
    let role_uid = uid(format!("Role::\"{}\"", role.name()))?;
    let principal = uid("Person::\"one\"".into())?;
    let entities = Entities::from_entities(
        [
            Entity::new_no_attrs(role_uid.clone(), HashSet::new()),
            Entity::new_no_attrs(principal.clone(), HashSet::from([role_uid])),
        ],
        None,
    )
    .map_err(Error::internal)?;
    let request = Request::new(
        principal,
        uid(format!("Action::\"{}\"", action.name()))?,
        uid("Place::\"any\"".into())?,
        Context::empty(),
        None,
    )
    .map_err(Error::internal)?;
    let response = Authorizer::new().is_authorized(&request, set, &entities);
    if let Some(e) = response.diagnostics().errors().next() {
        return Err(Error::internal(e.to_string()));
    }
    Ok(response.decision() == Decision::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who may do what, in full: a change of the policy shows here.
    #[test]
    fn the_policy_in_full() {
        let policy = Policy::built_in().expect("the policy parses");
        let table: String = Action::ALL
            .iter()
            .map(|a| {
                let roles: Vec<_> = Role::ALL
                    .iter()
                    .filter(|r| policy.role_may(**r, *a))
                    .map(|r| r.name())
                    .collect();
                format!("{}: {}\n", a.name(), roles.join(", "))
            })
            .collect();
        insta::assert_snapshot!(table);
    }
}
