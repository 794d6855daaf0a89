//! Prometheus, which scrapes what files name.

use crate::error::{Error, Result, write_file};
use crate::layout::Layout;
use crate::process::{Guard, Program, Recipe};
use crate::programs;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Prometheus' port names.
pub const PORTS: [&str; 1] = ["prometheus"];

/// Starts Prometheus.
///
/// # Errors
/// When its files cannot be written or it does not come up.
pub async fn start(layout: &Layout, guard: &Guard) -> Result<Arc<Program>> {
    let port = layout.port("prometheus");
    let dir = layout.path("prometheus");
    for folder in ["targets", "rules", "data"] {
        let folder = dir.join(folder);
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    }
    let config = json!({
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [dir.join("rules").join("*.yml")],
        "scrape_configs": [
            {
                "job_name": "world",
                // A model server's metrics name namespace, pod and model themselves.
                "honor_labels": true,
                "file_sd_configs": [{
                    "files": [dir.join("targets").join("*.json")],
                    "refresh_interval": "5s",
                }],
            },
            {
                "job_name": "models",
                "static_configs": [{"targets": [format!("127.0.0.1:{}", layout.port("exporter"))]}],
                "honor_labels": true,
                // Then a series ends with the pods that it is about.
                "honor_timestamps": false,
                // The same series as the seeded week, which nothing was scraped for.
                "metric_relabel_configs": [{"action": "labeldrop", "regex": "job|instance"}],
            },
            {
                "job_name": "prometheus",
                "static_configs": [{"targets": [format!("127.0.0.1:{port}")]}],
            },
        ],
    });
    let file = dir.join("prometheus.yml");
    let text = serde_json::to_vec_pretty(&config).map_err(Error::other)?;
    write_file(&file, text, false)?;
    let program = Program::start(
        guard,
        Recipe {
            name: "prometheus".to_owned(),
            program: programs::path_of("prometheus")?,
            args: vec![
                format!("--config.file={}", file.display()).into(),
                format!("--storage.tsdb.path={}", dir.join("data").display()).into(),
                format!("--web.listen-address=127.0.0.1:{port}").into(),
                "--storage.tsdb.retention.time=30d".into(),
                "--web.enable-lifecycle".into(),
                "--log.level=warn".into(),
            ],
            env: Vec::new(),
            dir,
            log: layout.log("prometheus"),
        },
    )?;
    wait_ready(&program, port).await?;
    Ok(program)
}

/// Waits until Prometheus has read its data.
///
/// # Errors
/// When it does not come up.
pub async fn wait_ready(program: &Program, port: u16) -> Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .map_err(Error::other)?;
    let probe = format!("http://127.0.0.1:{port}/-/ready");
    program
        .wait_until(Duration::from_secs(90), || async {
            client
                .get(&probe)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
        })
        .await
}
