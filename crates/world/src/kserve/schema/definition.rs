//! The frame around a schema: names, scope, printer columns, subresources.

use serde_json::{Value, json};

use super::dsl::{Schema, object, required, string};

/// What a definition needs beside its schema.
pub struct Kind<'a> {
    pub kind: &'a str,
    pub plural: &'a str,
    pub short: &'a [&'a str],
    pub namespaced: bool,
    /// (header, type, JSON path)
    pub columns: &'a [(&'a str, &'a str, &'a str)],
}

/// One served version of a kind.
pub struct Version<'a> {
    pub name: &'a str,
    pub storage: bool,
    pub spec: Schema,
    /// Absent: the kind has no status subresource.
    pub status: Option<Schema>,
    pub spec_required: bool,
}

/// The object that the API server takes.
pub fn definition(kind: &Kind<'_>, versions: Vec<Version<'_>>) -> Value {
    let singular = kind.kind.to_lowercase();
    let columns: Vec<Value> = kind
        .columns
        .iter()
        .map(|(name, kind, path)| json!({"name": name, "type": kind, "jsonPath": path}))
        .collect();
    let versions: Vec<Value> = versions
        .into_iter()
        .map(|version| {
            let subresources = match version.status {
                Some(_) => json!({"status": {}}),
                None => json!({}),
            };
            let mut fields = vec![
                ("apiVersion", string()),
                ("kind", string()),
                ("metadata", json!({"type": "object"})),
                ("spec", version.spec),
            ];
            if let Some(status) = version.status {
                fields.push(("status", status));
            }
            let mut root = object(&fields);
            if version.spec_required {
                root = required(root, &["spec"]);
            }
            json!({
                "name": version.name,
                "served": true,
                "storage": version.storage,
                "additionalPrinterColumns": columns,
                "subresources": subresources,
                "schema": {"openAPIV3Schema": root},
            })
        })
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.serving.kserve.io", kind.plural)},
        "spec": {
            "group": "serving.kserve.io",
            "names": {
                "kind": kind.kind,
                "listKind": format!("{}List", kind.kind),
                "plural": kind.plural,
                "singular": singular,
                "shortNames": kind.short,
            },
            "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
            "versions": versions,
        },
    })
}

/// The object's name of each definition, for telling which kinds are there.
pub fn names_of(definitions: &[Value]) -> Vec<String> {
    definitions
        .iter()
        .filter_map(|definition| definition["metadata"]["name"].as_str())
        .map(ToOwned::to_owned)
        .collect()
}

/// `status.conditions` as Knative's libraries write them.
pub fn conditions() -> Schema {
    super::dsl::list(required(
        object(&[
            ("lastTransitionTime", string()),
            ("message", string()),
            ("reason", string()),
            ("severity", string()),
            ("status", string()),
            ("type", string()),
        ]),
        &["status", "type"],
    ))
}

/// Knative's `Addressable`.
pub fn address() -> Schema {
    object(&[
        ("CACerts", string()),
        ("audience", string()),
        ("name", string()),
        ("url", string()),
    ])
}
