//! The OpenAPI 3.1 document, from the table of operations and the schemas.

use super::{Endpoint, endpoints, schemas::schemas};
use crate::session::COOKIE;
use http::Method;
use serde_json::{Map, Value, json};

/// The document that `/api/openapi.json` answers.
pub fn document() -> Value {
    let mut paths = Map::new();
    for e in endpoints() {
        let item = paths.entry(e.path).or_insert_with(|| json!({}));
        item[e.method.as_str().to_ascii_lowercase()] = operation(&e);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatehouse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the console's pages show and do, for programs. Instants are microseconds since 1970-01-01T00:00:00Z. Lists are paged by key: give `next` back as `after`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "session": {
                "type": "apiKey", "in": "cookie", "name": COOKIE,
                "description": "The session of somebody who signed in to the console. Requests that change something are refused when their Origin or Sec-Fetch-Site names another site.",
            } },
            "schemas": schemas(),
        },
    })
}

fn operation(e: &Endpoint) -> Value {
    let of_path = e
        .path
        .split('/')
        .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let of_query = e.parameters.iter().map(|p| {
        let text = json!({ "type": "string" });
        let schema = match (p.name, p.repeated) {
            ("limit", _) => json!({ "type": "integer", "minimum": 1, "maximum": domain::page::MAX_LIMIT, "default": domain::page::DEFAULT_LIMIT }),
            (_, true) => json!({ "type": "array", "items": text }),
            (_, false) => text,
        };
        json!({ "name": p.name, "in": "query", "description": p.words, "schema": schema })
    });
    let parameters: Vec<Value> = of_path.chain(of_query).collect();
    let mut operation = json!({
        "operationId": operation_id(e),
        "summary": e.summary,
        "parameters": parameters,
        "responses": {
            e.status.as_str(): {
                "description": e.status.canonical_reason().unwrap_or_default(),
                "content": { "application/json": { "schema": reference(e.answer) } },
            },
            "default": {
                "description": "It was refused or could not be done (RFC 9457)",
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            },
        },
    });
    if let Some(body) = e.body {
        let content = json!({ "schema": reference(body) });
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": content, "application/yaml": content },
        });
    }
    if e.answer == "OpenApi" {
        operation["security"] = json!([]);
    }
    operation
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// `get-models-id`: the method and the path's parts.
fn operation_id(e: &Endpoint) -> String {
    let method = if e.method == Method::GET {
        "get"
    } else {
        "post"
    };
    let parts = e
        .path
        .trim_start_matches("/api/")
        .trim_start_matches("v1/")
        .replace(['{', '}'], "")
        .replace(['/', '.'], "-");
    format!("{method}-{parts}")
}
