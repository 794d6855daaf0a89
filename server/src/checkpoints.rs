//! Signs the audit log's head as it grows, and carries each checkpoint out of the database's trust: to a
//! file and to an address of the configuration.

use crate::edge::AppState;
use domain::{Error, Result};
use serde_json::json;
use services::ports::StoredCheckpoint;
use std::{path::Path, time::Duration};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How often it is looked whether the log grew: so old is the end that no checkpoint covers yet.
const EVERY: Duration = Duration::from_secs(2);
/// A pause after something failed.
const PAUSE: Duration = Duration::from_secs(30);
/// How long whoever takes checkpoints may take for one.
const WEBHOOK_WAITS: Duration = Duration::from_secs(10);

/// How much of the log each place outside has a checkpoint of.
#[derive(Default)]
struct Outside {
    file: u64,
    webhook: u64,
}

/// Until `stop` is cancelled.
pub async fn run(state: AppState, stop: CancellationToken) {
    const NAME: &str = "checkpoints";
    let mut outside = None;
    while !stop.is_cancelled() {
        let pause = match step(&state, &mut outside).await {
            Ok(worked) => {
                state
                    .metrics
                    .job(NAME, if worked { "worked" } else { "idle" });
                EVERY
            }
            Err(e) => {
                state.metrics.job(NAME, "failed");
                tracing::error!(
                    task = NAME,
                    problem = e.for_log(),
                    "the audit log's checkpoint failed"
                );
                PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Signs all that is new and carries it out. Says whether there was anything.
async fn step(state: &AppState, outside: &mut Option<Outside>) -> Result<bool> {
    let checkpoints = &state.services.checkpoints;
    let config = &state.config.audit;
    let outside = match outside {
        Some(outside) => outside,
        // Before the first signature: is this the log that was signed before?
        None => {
            let mut known = Outside::default();
            if let Some(note) = written(config.checkpoint_file.as_deref()).await? {
                known.file = checkpoints.confirm(&note).await?;
            }
            outside.insert(known)
        }
    };
    let mut worked = false;
    while checkpoints.advance().await?.is_some() {
        worked = true;
    }
    let Some(last) = checkpoints.last().await? else {
        return Ok(worked);
    };
    if let Some(file) = &config.checkpoint_file
        && outside.file < last.size
    {
        append(file, &last).await?;
        outside.file = last.size;
    }
    if let Some(url) = &config.checkpoint_webhook
        && outside.webhook < last.size
    {
        send(url, &last).await?;
        outside.webhook = last.size;
    }
    Ok(worked)
}

/// The note of the last line of the file.
async fn written(file: Option<&Path>) -> Result<Option<String>> {
    let Some(file) = file else { return Ok(None) };
    let text = match tokio::fs::read_to_string(file).await {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            return Err(Error::unavailable("audit.checkpoint_file cannot be read").caused_by(e));
        }
    };
    // A line that was cut off while it was written says nothing.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    Ok(whole.lines().next_back().and_then(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line.get("checkpoint")?.as_str()?.to_owned())
    }))
}

fn line(c: &StoredCheckpoint) -> String {
    let at = c.at.rfc3339();
    format!(
        "{}\n",
        json!({ "at": at, "size": c.size, "checkpoint": c.note })
    )
}

/// A line of JSON, on the disk before it is said to be there.
async fn append(file: &Path, c: &StoredCheckpoint) -> Result<()> {
    let cannot = |e: std::io::Error| {
        Error::unavailable("audit.checkpoint_file cannot be written").caused_by(e)
    };
    let mut open = tokio::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .await
        .map_err(cannot)?;
    open.write_all(line(c).as_bytes()).await.map_err(cannot)?;
    open.sync_all().await.map_err(cannot)
}

async fn send(url: &Url, c: &StoredCheckpoint) -> Result<()> {
    let cannot = |e: reqwest::Error| {
        Error::unavailable("audit.checkpoint_webhook does not take the checkpoint")
            .caused_by(e.without_url())
    };
    let client = reqwest::Client::builder()
        .timeout(WEBHOOK_WAITS)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(cannot)?;
    client
        .post(url.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(line(c))
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map(drop)
        .map_err(cannot)
}
