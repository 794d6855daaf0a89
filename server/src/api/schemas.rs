//! What the views look like as JSON. Members of ours are all named; objects of Kubernetes and facts
//! that artifacts bring along are left open.

use serde_json::{Map, Value, json};

/// A type and "or null".
fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}
fn text() -> Value {
    json!({ "type": "string" })
}
fn number() -> Value {
    json!({ "type": "integer" })
}
fn flag() -> Value {
    json!({ "type": "boolean" })
}
fn open() -> Value {
    json!({ "type": "object" })
}
fn to(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
fn maybe_to(name: &str) -> Value {
    json!({ "anyOf": [to(name), { "type": "null" }] })
}
fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}
fn pair(a: Value, b: Value) -> Value {
    json!({ "type": "array", "prefixItems": [a, b], "minItems": 2, "maxItems": 2 })
}
fn words(values: &[&str]) -> Value {
    json!({ "type": "string", "enum": values })
}
fn digest() -> Value {
    json!({ "type": "string", "pattern": "^sha256:[0-9a-f]{64}$" })
}
fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// An object with exactly these members, all of them there.
fn object(members: &[(&str, Value)]) -> Value {
    shape(members, &[])
}

/// As [`object`], where the members in `optional` may be left out.
fn shape(members: &[(&str, Value)], optional: &[&str]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|(n, s)| ((*n).to_owned(), s.clone()))
        .collect();
    let required: Vec<&str> = members
        .iter()
        .map(|(n, _)| *n)
        .filter(|n| !optional.contains(n))
        .collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn page(of: &str) -> Value {
    object(&[("rows", list(to(of))), ("next", maybe("string"))])
}

const STATES: [&str; 9] = [
    "waiting",
    "held",
    "queued",
    "applying",
    "applied",
    "failed",
    "rejected",
    "withdrawn",
    "expired",
];
const KINDS: [&str; 7] = [
    "create", "update", "scale", "rollback", "stop", "start", "delete",
];

pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for (name, schema) in shared()
        .into_iter()
        .chain(catalogue())
        .chain(changes())
        .chain(running())
        .chain(bodies())
    {
        all.insert(name.to_owned(), schema);
    }
    all
}

type Named = Vec<(&'static str, Value)>;

#[rustfmt::skip]
fn shared() -> Named {
    vec![
        ("OpenApi", open()),
        ("Problem", json!({
            "type": "object",
            "description": "RFC 9457. `fields` names single members, parameters or paths of the manifest, and what is wrong with each.",
            "properties": {
                "type": text(), "title": text(), "status": number(), "detail": text(), "remedy": text(),
                "fields": list(object(&[("field", text()), ("message", text())])), "request": text(),
            },
            "required": ["type", "title", "status", "detail"],
            "additionalProperties": false,
        })),
        ("Scope", object(&[("unit", text()), ("environment", text())])),
        ("Key", object(&[("cluster", text()), ("namespace", text()), ("name", text())])),
        ("Object", object(&[("api_version", text()), ("kind", text()), ("name", text())])),
        ("Place", object(&[("cluster", text()), ("cluster_name", text()), ("namespace", text()), ("namespace_uid", text()), ("scope", to("Scope"))])),
        ("FieldChange", object(&[("path", text()), ("before", json!({})), ("after", json!({}))])),
        ("Finding", object(&[("rule", text()), ("severity", words(&["info", "warning", "error"])), ("field", text()), ("message", text()), ("remedy", text())])),
        ("Pinned", shape(&[("reference", text()), ("digest", maybe("string")), ("unpinned_because", maybe("string"))], &["unpinned_because"])),
        ("Closure", object(&[("runtime", maybe_to("Pinned")), ("images", list(to("Pinned"))), ("storage", list(to("Pinned")))])),
        ("Attested", object(&[("value", text()), ("by", uuid())])),
        ("Use", object(&[("purpose", text()), ("owner", text()), ("risk_tier", maybe_to("Attested")), ("data_class", maybe_to("Attested")), ("exposure", maybe_to("Attested"))])),
        ("Actor", object(&[
            ("person", uuid()), ("account", uuid()), ("name", text()), ("username", text()), ("roles", list(text())),
            ("session", maybe("string")), ("address", maybe("string")), ("acting_for", maybe("string")),
        ])),
        ("Record", object(&[
            ("seq", number()), ("id", uuid()), ("at", number()), ("phase", words(&["intent", "outcome", "event"])), ("intent", maybe("string")),
            ("action", text()), ("actor", maybe_to("Actor")), ("object", text()), ("unit", text()), ("environment", text()),
            ("change", maybe("string")), ("reason", maybe("string")),
            ("outcome", json!({ "enum": ["success", "failure", "denied", "unknown", null] })),
            ("detail", json!({})), ("retention", words(&["decision", "access", "operation"])), ("hash", digest()),
        ])),
        ("RecordPage", page("Record")),
    ]
}

#[rustfmt::skip]
fn catalogue() -> Named {
    let version = [
        ("id", uuid()), ("model", uuid()), ("digest", digest()), ("tags", list(to("Tag"))), ("kind", text()),
        ("facts", open()), ("created_at", maybe("integer")), ("first_seen", number()), ("observed_at", number()),
        ("gone_at", maybe("integer")), ("platforms", list(text())), ("signature", json!({})), ("scan", json!({})), ("pickle", json!({})),
    ];
    let model = [
        ("id", uuid()), ("registry", uuid()), ("registry_name", text()), ("repository", text()), ("name", text()),
        ("versions", number()), ("latest", to("VersionRow")),
    ];
    vec![
        ("Tag", object(&[("name", text()), ("since", number()), ("moved_at", maybe("integer")), ("moved_to", maybe("string")), ("moved_from", maybe("string"))])),
        ("VersionRow", object(&version)),
        ("VersionPage", page("VersionRow")),
        ("ModelRow", object(&model)),
        ("ModelPage", page("ModelRow")),
        ("Model", object(&[("model", to("ModelRow")), ("versions", to("VersionPage")), ("card_html", maybe("string")), ("may_deploy", flag())])),
        ("Servability", object(&[("ways", list(open())), ("obstacles", list(open()))])),
        ("Version", object(&[
            ("model", to("ModelRow")), ("version", to("VersionRow")), ("card_html", maybe("string")),
            ("serving", list(pair(text(), to("Servability")))), ("runs", list(to("Row"))), ("may_deploy", flag()),
        ])),
        ("Registry", object(&[
            ("id", uuid()), ("name", text()), ("url", text()), ("username", maybe("string")), ("ca_pem", maybe("string")), ("source", words(&["file", "console"])),
            ("rules", list(open())), ("sync_minutes", number()), ("version", number()), ("status", open()),
        ])),
        ("RegistryPage", page("Registry")),
    ]
}

#[rustfmt::skip]
fn changes() -> Named {
    let stage = object(&[("role", text()), ("count", number())]);
    vec![
        ("ChangeBase", object(&[
            ("id", uuid()), ("kind", words(&KINDS)), ("state", words(&STATES)), ("place", to("Place")), ("object", to("Object")), ("usage", to("Use")),
            ("requester", uuid()), ("requester_account", uuid()), ("created_at", number()), ("expires_at", number()), ("current_revision", uuid()),
            ("version", number()), ("end_reason", maybe("string")), ("ended_at", maybe("integer")),
        ])),
        ("ChangeRow", object(&[
            ("change", to("ChangeBase")), ("revision_number", number()), ("content_hash", digest()), ("comment", text()),
            ("requester_name", text()), ("open_by", list(text())), ("agreed", number()), ("needed", number()),
        ])),
        ("ChangePage", page("ChangeRow")),
        ("Content", object(&[("action", words(&["apply", "delete"])), ("cluster", text()), ("namespace", text()), ("namespace_uid", text()), ("object", open()), ("closure", to("Closure"))])),
        ("Seen", object(&[
            ("live", maybe("object")), ("live_hash", maybe("string")), ("live_version", maybe("string")), ("live_uid", maybe("string")),
            ("findings", list(to("Finding"))), ("facts", list(open())), ("quota", list(open())),
        ])),
        ("Revision", object(&[
            ("id", uuid()), ("change", uuid()), ("number", number()), ("content", to("Content")), ("content_hash", digest()), ("manifest_yaml", text()),
            ("comment", text()), ("author", uuid()), ("author_account", uuid()), ("created_at", number()), ("seen", to("Seen")),
            ("stages", list(stage.clone())), ("policy_version", digest()),
        ])),
        ("Decision", object(&[
            ("id", uuid()), ("change", uuid()), ("revision", uuid()), ("stage", number()), ("role", text()), ("outcome", words(&["approve", "reject"])),
            ("person", uuid()), ("account", uuid()), ("acting_for", maybe("string")), ("reason", text()), ("content_hash", digest()),
            ("policy_version", digest()), ("decided_at", number()), ("effective_at", number()), ("undone_at", maybe("integer")), ("voided_at", maybe("integer")),
        ])),
        ("Item", object(&[
            ("id", uuid()), ("change", uuid()), ("revision", uuid()), ("cluster", text()), ("object", to("Object")),
            ("state", words(&["queued", "applying", "applied", "failed", "superseded", "expired"])), ("message", maybe("string")),
            ("applied_uid", maybe("string")), ("applied_generation", maybe("integer")), ("applied_at", maybe("integer")), ("attempts", number()),
        ])),
        ("Change", object(&[
            ("change", to("ChangeBase")), ("revision", to("Revision")),
            ("revisions", list(json!({ "type": "array", "prefixItems": [number(), digest(), text(), number()], "minItems": 4, "maxItems": 4 }))),
            ("requester", text()), ("author", text()),
            ("decisions", list(object(&[("decision", to("Decision")), ("by", text()), ("revision_number", number())]))),
            ("items", list(to("Item"))), ("differences", list(to("FieldChange"))), ("difference_text", list(open())), ("content_yaml", text()),
            ("live_moved", list(text())),
            ("since_my_approval", json!({ "anyOf": [pair(digest(), list(to("FieldChange"))), { "type": "null" }] })),
            ("cannot", maybe("object")),
            ("open", json!({ "anyOf": [object(&[("index", number()), ("stage", stage), ("missing", number())]), { "type": "null" }] })),
            ("open_by", list(text())), ("undo_until", maybe("integer")), ("may_withdraw", flag()), ("may_edit", flag()), ("next", maybe("string")), ("now", number()),
        ])),
    ]
}

#[rustfmt::skip]
fn running() -> Named {
    let row = vec![
        ("key", to("Key")), ("scope", to("Scope")), ("state", text()), ("headline", text()), ("cause", maybe("string")), ("format", text()),
        ("runtime", text()), ("source", text()), ("replicas_ready", number()), ("replicas_desired", number()), ("gpus", number()),
        ("url", maybe("string")), ("created_at", maybe("integer")), ("fingerprint", digest()), ("fingerprint_if_started", maybe("string")), ("as_of", number()), ("stale", flag()),
    ];
    let approval = words(&["approved", "drifted", "unapproved"]);
    let mut listed = row.clone();
    listed.push(("approval", approval.clone()));
    vec![
        ("Row", object(&row)),
        ("DeploymentRow", object(&listed)),
        ("DeploymentPage", page("DeploymentRow")),
        ("ClusterHealth", object(&[
            ("id", maybe("string")), ("name", text()), ("reachable", flag()), ("problem", maybe("string")), ("as_of", maybe("integer")),
            ("server", json!({ "type": "string", "description": "The API server’s address; empty but for those who may see the clusters." })), ("deployments", number()),
        ])),
        ("DeploymentList", object(&[
            ("page", to("DeploymentPage")), ("counts", json!({ "type": "object", "additionalProperties": number() })),
            ("clusters", list(to("ClusterHealth"))), ("units", list(text())), ("may_request", flag()), ("now", number()),
        ])),
        ("Live", object(&[
            ("key", to("Key")), ("cluster", text()), ("namespace_uid", text()), ("scope", to("Scope")), ("object", open()), ("workloads", list(open())),
            ("pods", list(open())), ("events", list(open())), ("routes", list(open())), ("as_of", number()), ("stale", flag()),
        ])),
        ("Deployment", object(&[
            ("live", to("Live")),
            ("explanation", object(&[("code", text()), ("headline", text()), ("cause", maybe("string")), ("next_step", maybe("string")), ("tone", text())])),
            ("row", to("Row")), ("approval", approval), ("drift", list(open())), ("closure", maybe_to("Closure")), ("closure_drift", list(open())), ("uncompared", list(object(&[("reference", text()), ("why", text())]))),
            ("usage", maybe_to("Use")), ("revisions", list(open())), ("open_changes", list(to("ChangeRow"))), ("history", list(to("ChangeRow"))),
            ("last", maybe_to("LastChange")), ("outside", maybe_to("Outside")), ("rollback", maybe_to("Rollback")), ("yaml", text()), ("endpoints", list(object(&[("what", text()), ("url", text())]))),
            ("may_change", flag()), ("may_stop", flag()), ("now", number()),
        ])),
        ("LastChange", object(&[("change", to("ChangeBase")), ("by", text()), ("at", maybe("integer")), ("what", list(to("FieldChange")))])),
        ("Outside", object(&[("made", flag()), ("by", maybe("string")), ("at", maybe("integer"))])),
        ("Rollback", object(&[("revision", uuid()), ("number", number()), ("applied_at", maybe("integer")), ("changes", list(to("FieldChange")))])),
        ("Cluster", object(&[("health", to("ClusterHealth")), ("facts", maybe("object")), ("nodes", number()), ("gpus", list(open()))])),
        ("ClusterPage", page("Cluster")),
    ]
}

#[rustfmt::skip]
fn bodies() -> Named {
    let said = |words: &str| json!({ "type": "string", "description": words });
    vec![
        ("NewChange", shape(&[
            ("kind", words(&["create", "update"])), ("cluster", text()), ("namespace", text()), ("purpose", said("What the model is used for.")),
            ("owner", said("Who answers for it; the caller where it is left out.")), ("risk_tier", text()), ("data_class", text()), ("exposure", text()), ("comment", text()),
            ("manifest", json!({ "type": ["object", "string"], "description": "An InferenceService, or its text as YAML or JSON." })),
            ("content_hash", said("The hash that is expected; another one is refused.")),
        ], &["kind", "owner", "risk_tier", "data_class", "exposure", "comment", "content_hash"])),
        ("NewDecision", object(&[("outcome", words(&["approve", "reject"])), ("reason", text()), ("revision", json!({ "type": "integer", "description": "Number of the revision that was looked at; another one is refused." })), ("content_hash", digest())])),
        ("Withdrawal", shape(&[("reason", text())], &["reason"])),
    ]
}
