//! Kubeconfig files: one for full rights with a context for each account, one for the console,
//! one for KServe's controller.

use crate::error::{Error, Result, write_file};
use base64::Engine;
use serde_json::{Value, json};
use std::path::Path;

/// An identity in a kubeconfig.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The context's name.
    pub context: String,
    /// Its bearer token.
    pub token: String,
}

/// Writes a kubeconfig; the first identity's context is the current one.
///
/// # Errors
/// When the authority cannot be read or the file cannot be written.
pub fn write(
    path: &Path,
    cluster: &str,
    server: &str,
    ca: &Path,
    identities: &[Identity],
) -> Result<()> {
    let ca = std::fs::read(ca).map_err(Error::file(ca))?;
    let ca = base64::engine::general_purpose::STANDARD.encode(ca);
    let users: Vec<Value> = identities
        .iter()
        .map(|identity| json!({"name": identity.context, "user": {"token": identity.token}}))
        .collect();
    let contexts: Vec<Value> = identities
        .iter()
        .map(|identity| {
            json!({
                "name": identity.context,
                "context": {"cluster": cluster, "user": identity.context},
            })
        })
        .collect();
    // JSON is YAML: no other writer is needed.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": cluster,
            "cluster": {"server": server, "certificate-authority-data": ca},
        }],
        "users": users,
        "contexts": contexts,
        "current-context": identities.first().map(|identity| identity.context.clone()),
    });
    let text = serde_json::to_vec_pretty(&config).map_err(Error::other)?;
    write_file(path, text, true)
}
