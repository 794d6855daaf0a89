//! The OpenID provider: node-oidc-provider with accounts named by role.

use crate::accounts;
use crate::error::{Error, Result, write_file};
use crate::layout::Layout;
use crate::process::{Guard, Program, Recipe};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The console's client id.
pub const CLIENT_ID: &str = "gatehouse";

/// The provider's port names.
pub const PORTS: [&str; 1] = ["provider"];

/// Where another console than the world's own may answer and let people sign in: the provider knows
/// its addresses exactly, as providers do.
fn other_consoles() -> impl Iterator<Item = String> {
    (8081..=8089).map(|port| format!("http://127.0.0.1:{port}"))
}

/// Starts the provider under `issuer`, for a console at `console_url`.
///
/// # Errors
/// When its files cannot be written or it does not come up.
pub async fn start(
    layout: &Layout,
    guard: &Guard,
    script: PathBuf,
    issuer: &str,
    console_url: &str,
) -> Result<Arc<Program>> {
    let port = layout.port("provider");
    let dir = layout.path("oidc");
    let console = console_url.trim_end_matches('/');
    let consoles = || std::iter::once(console.to_owned()).chain(other_consoles());
    let config = json!({
        "issuer": issuer,
        "port": port,
        "state_dir": dir,
        "admin_token": layout.secrets.admin_token,
        "cookie_keys": [layout.secrets.console_key],
        "client": {
            "id": CLIENT_ID,
            "secret": layout.secrets.client_secret,
            "redirect_uris": consoles().map(|url| format!("{url}/oidc/callback")).collect::<Vec<_>>(),
            "post_logout_redirect_uris": consoles()
                .flat_map(|url| [format!("{url}/"), format!("{url}/signed-out")])
                .collect::<Vec<_>>(),
            "backchannel_logout_uri": format!("{console}/oidc/backchannel-logout"),
        },
        "accounts": accounts::all(),
    });
    let file = dir.join("config.json");
    let text = serde_json::to_vec_pretty(&config).map_err(Error::other)?;
    write_file(&file, text, true)?;
    let program = Program::start(
        guard,
        Recipe {
            name: "provider".to_owned(),
            program: "node".into(),
            args: vec![script.into(), file.into()],
            env: vec![("NODE_ENV".to_owned(), "production".to_owned())],
            dir,
            log: layout.log("provider"),
        },
    )?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(Error::other)?;
    let probe = format!("http://127.0.0.1:{port}/healthz");
    program
        .wait_until(Duration::from_secs(60), || async {
            client
                .get(&probe)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await?;
    Ok(program)
}
