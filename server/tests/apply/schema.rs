//! As much of JSON Schema as the API's document uses.

use serde_json::Value;

/// What is wrong with a value by the schema of this name; empty: nothing.
pub fn wrong(document: &Value, schema: &str, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let start = &document["components"]["schemas"][schema];
    assert!(start.is_object(), "there is no schema {schema}");
    walk(document, start, value, schema, &mut out);
    out
}

fn walk(document: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document.pointer(reference.trim_start_matches('#'));
        return match found {
            Some(s) => walk(document, s, value, at, out),
            None => out.push(format!("{at}: {reference} leads nowhere")),
        };
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|s| {
            let mut said = Vec::new();
            walk(document, s, value, at, &mut said);
            said.is_empty()
        });
        if !fits {
            out.push(format!("{at}: {value} fits none"));
        }
        return;
    }
    if let Some(all) = schema["enum"].as_array()
        && !all.contains(value)
    {
        out.push(format!("{at}: {value} is none of {all:?}"));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(s) => vec![s],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        out.push(format!("{at} is {kind}, not {kinds:?}"));
        return;
    }
    match value {
        Value::Object(members) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                if !members.contains_key(name.as_str().unwrap_or_default()) {
                    out.push(format!("{at} lacks {name}"));
                }
            }
            for (name, inner) in members {
                let at = format!("{at}.{name}");
                match (&schema["properties"][name], &schema["additionalProperties"]) {
                    (s @ Value::Object(_), _) => walk(document, s, inner, &at, out),
                    (_, Value::Bool(false)) => out.push(format!("{at} is not in the document")),
                    (_, s @ Value::Object(_)) => walk(document, s, inner, &at, out),
                    _ => {}
                }
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                let at = format!("{at}[{i}]");
                let own = &schema["prefixItems"][i];
                let s = if own.is_object() {
                    own
                } else {
                    &schema["items"]
                };
                if s.is_object() {
                    walk(document, s, inner, &at, out);
                }
            }
            for (limit, bad) in [
                (
                    "minItems",
                    items.len() < schema["minItems"].as_u64().unwrap_or(0) as usize,
                ),
                (
                    "maxItems",
                    schema["maxItems"]
                        .as_u64()
                        .is_some_and(|n| items.len() as u64 > n),
                ),
            ] {
                if bad {
                    out.push(format!("{at}: {limit}"));
                }
            }
        }
        _ => {}
    }
}
