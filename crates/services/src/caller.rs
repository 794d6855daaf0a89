//! Who calls. Every use case takes a [`Caller`]; there is no other way to know who acts.

use crate::ports::Actor;
use domain::{
    access::{Grant, Role, Scope},
    ids::{AccountId, PersonId},
    person::GroupSnapshot,
};
use serde::{Deserialize, Serialize};

/// A signed-in person with an account, as of this request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    pub person: PersonId,
    pub account: AccountId,
    pub name: String,
    /// The provider's user name: what a cluster knows the account by.
    pub username: String,
    pub email: Option<String>,
    pub groups: GroupSnapshot,
    /// What the groups give, by the configuration.
    pub grants: Vec<Grant>,
    /// Public id of the session.
    pub session: Option<String>,
    pub request_id: String,
    pub address: Option<String>,
    /// Time zone for display (IANA name).
    pub zone: String,
}

impl Caller {
    /// Roles held in this place.
    pub fn roles_in(&self, scope: &Scope) -> Vec<Role> {
        let mut roles: Vec<Role> = self
            .grants
            .iter()
            .filter(|g| g.covers(scope))
            .map(|g| g.role)
            .collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// Roles held anywhere.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = self.grants.iter().map(|g| g.role).collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// Where grants with one of these roles hold, as (units, environments) patterns for filters.
    pub fn scopes_of(&self, may: impl Fn(Role) -> bool) -> Vec<(Vec<String>, Vec<String>)> {
        let mut scopes: Vec<_> = self
            .grants
            .iter()
            .filter(|g| may(g.role))
            .map(|g| (g.units.clone(), g.environments.clone()))
            .collect();
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// The person as the audit log keeps them.
    pub fn actor(&self) -> Actor {
        Actor {
            person: self.person,
            account: self.account,
            name: self.name.clone(),
            username: self.username.clone(),
            roles: self
                .roles()
                .into_iter()
                .map(|r| r.name().to_owned())
                .collect(),
            session: self.session.clone(),
            address: self.address.clone(),
            acting_for: None,
        }
    }
}

/// Group → role, where: one line of the configuration's `[[grants]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupGrant {
    pub group: String,
    pub role: Role,
    pub units: Vec<String>,
    pub environments: Vec<String>,
}

/// What these groups give.
pub fn grants_of(rules: &[GroupGrant], groups: &[String]) -> Vec<Grant> {
    rules
        .iter()
        .filter(|r| groups.contains(&r.group))
        .map(|r| Grant {
            role: r.role,
            units: r.units.clone(),
            environments: r.environments.clone(),
        })
        .collect()
}
