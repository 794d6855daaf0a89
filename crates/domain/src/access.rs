//! Who may do what where: roles, grants, and who has to approve.

use serde::{Deserialize, Serialize};

/// What a person does in the organisation. A role alone gives nothing; a [`Grant`] says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    PlatformEngineer,
    AiEngineer,
    ApplicationDeveloper,
    DevopsEngineer,
    SecurityEngineer,
    Approver,
    Auditor,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::PlatformEngineer,
        Self::AiEngineer,
        Self::ApplicationDeveloper,
        Self::DevopsEngineer,
        Self::SecurityEngineer,
        Self::Approver,
        Self::Auditor,
    ];

    /// The name in configuration, policy and log: `platform-engineer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PlatformEngineer => "platform-engineer",
            Self::AiEngineer => "ai-engineer",
            Self::ApplicationDeveloper => "application-developer",
            Self::DevopsEngineer => "devops-engineer",
            Self::SecurityEngineer => "security-engineer",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }
}

/// Where something is, as far as rights go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Business unit, a path (`retail`, `retail/fraud`); empty where a namespace carries no label.
    pub unit: String,
    /// `development`, `staging`, `production` or an organisation's own word; may be empty.
    pub environment: String,
}

/// A role, and where it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    pub role: Role,
    /// Business units (each covers the units below it), or `*`.
    pub units: Vec<String>,
    /// Environments, or `*`.
    pub environments: Vec<String>,
}

impl Grant {
    pub fn covers(&self, scope: &Scope) -> bool {
        unit_matches(&self.units, &scope.unit)
            && any_matches(&self.environments, &scope.environment)
    }
}

/// Does one of the patterns name this unit or one above it?
pub fn unit_matches(patterns: &[String], unit: &str) -> bool {
    patterns.iter().any(|p| {
        p == "*"
            || (!unit.is_empty()
                && (p == unit
                    || unit
                        .strip_prefix(p.as_str())
                        .is_some_and(|rest| rest.starts_with('/'))))
    })
}

/// Is it one of the words, or are all meant?
pub fn any_matches(patterns: &[String], word: &str) -> bool {
    patterns
        .iter()
        .any(|p| p == "*" || (!word.is_empty() && p == word))
}

/// So many people of one role have to agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    pub role: Role,
    pub count: u32,
}

/// Which stages a change in some place has to pass. The first rule that matches counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    pub units: Vec<String>,
    pub environments: Vec<String>,
    pub stages: Vec<Stage>,
}

/// The stages for a place: the first rule that covers it; one approver where no rule does, so that
/// a hole in the configuration never lets a change through undecided.
pub fn stages_for(rules: &[ApprovalRule], scope: &Scope) -> Vec<Stage> {
    rules
        .iter()
        .find(|r| {
            unit_matches(&r.units, &scope.unit) && any_matches(&r.environments, &scope.environment)
        })
        .map(|r| r.stages.clone())
        .unwrap_or_else(|| {
            vec![Stage {
                role: Role::Approver,
                count: 1,
            }]
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(unit: &str, environment: &str) -> Scope {
        Scope {
            unit: unit.into(),
            environment: environment.into(),
        }
    }

    #[test]
    fn a_grant_covers_the_units_below_and_nothing_beside() {
        let g = Grant {
            role: Role::Approver,
            units: vec!["retail".into()],
            environments: vec!["production".into()],
        };
        assert!(g.covers(&scope("retail", "production")));
        assert!(g.covers(&scope("retail/fraud", "production")));
        assert!(!g.covers(&scope("retailer", "production")));
        assert!(!g.covers(&scope("retail", "staging")));
        assert!(!g.covers(&scope("", "production")));
    }

    #[test]
    fn without_a_rule_one_approver_is_needed() {
        assert_eq!(
            stages_for(&[], &scope("x", "y")),
            [Stage {
                role: Role::Approver,
                count: 1
            }]
        );
    }
}
