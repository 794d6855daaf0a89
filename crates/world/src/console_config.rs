//! The configuration file that points a console at this world.

use crate::addresses::WorldAddresses;
use crate::error::{Error, Result, write_file};
use crate::kubernetes::UNITS;
use crate::layout::Layout;
use serde_json::{Value, json};

/// Group → role; who has it everywhere.
const GRANTS: [(&str, &str); 6] = [
    ("gh-platform", "platform-engineer"),
    ("gh-ai", "ai-engineer"),
    ("gh-appdev", "application-developer"),
    ("gh-devops", "devops-engineer"),
    ("gh-security", "security-engineer"),
    ("gh-audit", "auditor"),
];

/// Writes `console.toml` for the world at `addresses`.
///
/// # Errors
/// When a trusted key cannot be read or the file cannot be written.
pub fn write(layout: &Layout, addresses: &WorldAddresses) -> Result<()> {
    let listen = url::Url::parse(&addresses.console.url)
        .ok()
        .and_then(|url| {
            let port = url.port_or_known_default()?;
            Some(format!("127.0.0.1:{port}"))
        })
        .ok_or_else(|| {
            Error::other(format!(
                "{} is not the address of a console: give http://host:port",
                addresses.console.url
            ))
        })?;
    let mut grants: Vec<Value> = GRANTS
        .iter()
        .map(|(group, role)| {
            json!({"group": group, "role": role, "units": ["*"], "environments": ["*"]})
        })
        .collect();
    for unit in UNITS {
        grants.push(json!({
            "group": format!("gh-approvers-{unit}"),
            "role": "approver",
            "units": [unit],
            "environments": ["*"],
        }));
    }
    let clusters: Vec<Value> = addresses
        .clusters
        .iter()
        .map(|cluster| {
            json!({
                "name": cluster.name,
                "kubeconfig": cluster.console_kubeconfig,
                "user_prefix": "oidc:",
                "group_prefix": "oidc:",
            })
        })
        .collect();
    let mut trusted = Vec::new();
    for key in addresses.cosign_keys.iter().filter(|key| key.trusted) {
        let pem = std::fs::read_to_string(&key.public_key).map_err(Error::file(&key.public_key))?;
        trusted.push(json!({"name": key.name, "pem": pem}));
    }
    let mut config = json!({
        "server": {
            "listen": listen,
            "public_url": addresses.console.url,
            "secret_key": layout.secrets.console_key,
        },
        "database": {"url": format!("sqlite:{}", layout.path("gatehouse.db").display())},
        "oidc": {
            "issuer": addresses.provider.issuer,
            "client_id": addresses.provider.client_id,
            "client_secret": addresses.provider.client_secret,
            "scopes": ["openid", "profile", "email", "groups", "offline_access"],
            "groups_claim": "groups",
            "username_claim": "preferred_username",
            "person_claim": "employee_number",
        },
        "grants": grants,
        "approvals": [{
            "units": ["*"],
            "environments": ["production"],
            "stages": [{"role": "approver", "count": 1}],
        }],
        "clusters": clusters,
        "registries": [{
            "name": "main",
            "url": addresses.registry.url,
            "username": addresses.registry.username,
            "password": addresses.registry.password,
            "sync_minutes": 10,
            "notification_token": addresses.registry.notification_token,
            "rules": [{"repository": "**", "tag": {"regex": ".*"}, "enabled": true}],
        }],
        "prometheus": {"url": addresses.prometheus.url},
    });
    if !trusted.is_empty() {
        config["trust"] = json!({"cosign_keys": trusted});
    }
    let table: toml::Table = serde_json::from_value(config).map_err(Error::other)?;
    let text = toml::to_string_pretty(&table).map_err(Error::other)?;
    let head =
        "# Points a console at this world. Written at each start of the world: edit a copy.\n\n";
    write_file(&addresses.console.config, format!("{head}{text}"), true)
}
