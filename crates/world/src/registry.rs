//! The CNCF registry (distribution), with a password, deletion and notifications.

use crate::error::{Error, Result, write_file};
use crate::layout::Layout;
use crate::process::{Guard, Program, Recipe};
use crate::programs;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The one user of the registry.
pub const USER: &str = "gatehouse";

/// The registry's port names.
pub const PORTS: [&str; 1] = ["registry"];

/// Starts the registry.
///
/// # Errors
/// When its files cannot be written or it does not come up.
pub async fn start(layout: &Layout, guard: &Guard, console_url: &str) -> Result<Arc<Program>> {
    let port = layout.port("registry");
    let dir = layout.path("registry");
    let data = dir.join("data");
    std::fs::create_dir_all(&data).map_err(Error::file(&data))?;
    let htpasswd = dir.join("htpasswd");
    if !htpasswd.exists() {
        // The registry checks the password on each request: the lowest cost that bcrypt has
        // keeps a sync of hundreds of manifests from taking minutes. The password is random.
        let hash = bcrypt::hash(&layout.secrets.registry_password, 4).map_err(Error::other)?;
        write_file(&htpasswd, format!("{USER}:{hash}\n"), true)?;
    }
    let config = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {
            "filesystem": {"rootdirectory": data},
            "delete": {"enabled": true},
            "maintenance": {"uploadpurging": {"enabled": false}},
        },
        "auth": {"htpasswd": {"realm": "gatehouse-world", "path": htpasswd}},
        "http": {
            "addr": format!("127.0.0.1:{port}"),
            "secret": layout.secrets.admin_token,
        },
        "notifications": {"endpoints": [{
            "name": "console",
            "url": format!("{}/hooks/registry", console_url.trim_end_matches('/')),
            "headers": {
                "Authorization": [format!("Bearer {}", layout.secrets.notification_token)],
            },
            "timeout": "2s",
            "threshold": 3,
            "backoff": "5s",
            // Manifests only: a layer by itself is no news.
            "ignore": {
                "actions": ["pull", "mount"],
                "mediatypes": ["application/octet-stream"],
            },
        }]},
    });
    let file = dir.join("config.yml");
    let text = serde_json::to_vec_pretty(&config).map_err(Error::other)?;
    write_file(&file, text, true)?;
    let program = Program::start(
        guard,
        Recipe {
            name: "registry".to_owned(),
            program: programs::path_of("registry")?,
            args: vec!["serve".into(), file.into()],
            env: vec![("OTEL_TRACES_EXPORTER".to_owned(), "none".to_owned())],
            dir,
            log: layout.log("registry"),
        },
    )?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(Error::other)?;
    let probe = format!("http://127.0.0.1:{port}/v2/");
    program
        .wait_until(Duration::from_secs(60), || async {
            client
                .get(&probe)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == reqwest::StatusCode::UNAUTHORIZED)
        })
        .await?;
    Ok(program)
}
