//! A few words to write structural schemas with: each returns one JSON schema
//! node as `apiextensions.k8s.io/v1` takes it.

use serde_json::{Map, Value, json};

/// One node of a structural schema.
pub type Schema = Value;

/// A string.
pub fn string() -> Schema {
    json!({"type": "string"})
}

/// A string with a value for when the field is absent.
pub fn string_or(default: &str) -> Schema {
    json!({"type": "string", "default": default})
}

/// A string out of a closed list.
pub fn one_of(values: &[&str]) -> Schema {
    json!({"type": "string", "enum": values})
}

/// A boolean.
pub fn boolean() -> Schema {
    json!({"type": "boolean"})
}

/// An integer of no particular width.
pub fn integer() -> Schema {
    json!({"type": "integer"})
}

/// A 32-bit integer.
pub fn int32() -> Schema {
    json!({"type": "integer", "format": "int32"})
}

/// A 32-bit integer within bounds (both inclusive).
pub fn int32_between(minimum: i32, maximum: i32) -> Schema {
    json!({"type": "integer", "format": "int32", "minimum": minimum, "maximum": maximum})
}

/// A 64-bit integer.
pub fn int64() -> Schema {
    json!({"type": "integer", "format": "int64"})
}

/// A Kubernetes `IntOrString`, also used for quantities: KServe leaves the
/// check of a quantity's form to the Go type, that is to the defaulter.
pub fn int_or_string() -> Schema {
    json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true})
}

/// An object with these fields and no others.
pub fn object(fields: &[(&str, Schema)]) -> Schema {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({"type": "object", "properties": properties})
}

/// An object whose field names are free and whose values follow `values`.
pub fn map_of(values: Schema) -> Schema {
    json!({"type": "object", "additionalProperties": values})
}

/// An object of which nothing is declared: whatever stands in it is kept.
pub fn anything() -> Schema {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A list; server-side apply owns it as one value.
pub fn list(items: Schema) -> Schema {
    json!({"type": "array", "items": items})
}

/// A list declared atomic in so many words.
pub fn atomic(items: Schema) -> Schema {
    json!({"type": "array", "items": items, "x-kubernetes-list-type": "atomic"})
}

/// A list whose entries server-side apply merges by these fields.
pub fn keyed(items: Schema, keys: &[&str]) -> Schema {
    json!({
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
    })
}

/// The same node with one more keyword.
pub fn with(mut schema: Schema, keyword: &str, value: Value) -> Schema {
    schema[keyword] = value;
    schema
}

/// The same object with required fields.
pub fn required(schema: Schema, fields: &[&str]) -> Schema {
    with(schema, "required", json!(fields))
}

/// The same object, owned as one value by server-side apply.
pub fn atomic_map(schema: Schema) -> Schema {
    with(schema, "x-kubernetes-map-type", json!("atomic"))
}

/// The fields of several objects together (a later one wins).
pub fn merged(schemas: &[Schema]) -> Schema {
    let mut properties = Map::new();
    for schema in schemas {
        if let Some(fields) = schema["properties"].as_object() {
            properties.extend(fields.clone());
        }
    }
    json!({"type": "object", "properties": properties})
}
