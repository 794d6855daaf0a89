//! Where a field stands in the wizard: the step, and the element that a link leads to.

use domain::form::{Form, Source};
use serde::{Deserialize, Serialize};

/// A step and the id of an element on its page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    pub step: String,
    pub id: String,
}

/// Where a field stands, by the name that [`Form::errors`] gives it. A path that no form has stands with
/// the YAML; what concerns no field has no place.
pub fn spot(field: &str, form: &Form) -> Option<Spot> {
    let head = field.split(['.', '[']).next().unwrap_or_default();
    let (step, id) = match head {
        "" => return None,
        "purpose" | "owner" | "risk_tier" | "data_class" | "exposure" => ("use", head),
        "cluster" | "namespace" | "target" => ("target", "target"),
        "name" => ("target", "name"),
        "source" if field == "source.port" => ("source", "port"),
        "source" => match form.source {
            Source::Storage { .. } => ("source", "uri"),
            Source::Image { .. } => ("source", "image"),
        },
        "format_version" => ("source", "format"),
        "uri" | "image" | "port" | "format" | "runtime" | "protocol" | "deployment_mode"
        | "args" | "pull_secrets" => ("source", head),
        "env" => return Some(env(field, form)),
        "tolerate_gpu_taint" => ("resources", "tolerate"),
        "min_replicas" | "max_replicas" | "gpus" | "gpu_resource" | "gpu_product" | "cpu"
        | "cpu_limit" | "memory" | "memory_limit" | "timeout" | "tolerate" => ("resources", head),
        "comment" => ("review", "comment"),
        _ => ("review", "yaml"),
    };
    Some(at(step, id))
}

/// Which step's form a field stands on.
pub fn step_of(field: &str) -> String {
    spot(field, &Form::default()).map_or_else(|| "review".into(), |s| s.step)
}

fn at(step: &str, id: impl Into<String>) -> Spot {
    Spot {
        step: step.into(),
        id: id.into(),
    }
}

/// `env[2].secret` is the cell `env-2-secret`; what names no row that is there is the whole table.
fn env(field: &str, form: &Form) -> Spot {
    let row = field
        .strip_prefix("env[")
        .and_then(|r| r.split_once(']'))
        .and_then(|(n, part)| Some((n.parse::<usize>().ok()?, part.trim_start_matches('.'))))
        .filter(|(n, _)| *n < form.env.len());
    match row {
        Some((n, part)) => {
            let part = if part.is_empty() { "name" } else { part };
            at("source", format!("env-{n}-{part}"))
        }
        None => at("source", "env"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::form::{Env, EnvFrom};

    #[test]
    fn each_field_has_one_place() {
        let form = Form {
            source: Source::Image {
                image: "nim".into(),
                port: None,
            },
            env: vec![Env {
                name: "A".into(),
                source: EnvFrom::Value {
                    value: String::new(),
                },
            }],
            ..Form::default()
        };
        for (field, place) in [
            ("namespace", "target#target"),
            ("source", "source#image"),
            ("source.port", "source#port"),
            ("args[3]", "source#args"),
            ("env[0].secret", "source#env-0-secret"),
            ("env[0]", "source#env-0-name"),
            ("env[7].name", "source#env"),
            ("tolerate_gpu_taint", "resources#tolerate"),
            ("memory_limit", "resources#memory_limit"),
            ("purpose", "use#purpose"),
            ("yaml", "review#yaml"),
            ("spec.predictor.schedulerName", "review#yaml"),
        ] {
            let s = spot(field, &form).expect(field);
            assert_eq!(format!("{}#{}", s.step, s.id), place, "{field}");
        }
        assert_eq!(spot("", &form), None);
        assert_eq!(spot("source", &Form::default()).expect("a place").id, "uri");
    }
}
