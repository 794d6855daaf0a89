//! `gatehouse-fill CONFIG FROM TO`: fills a console's database with rows FROM..TO of each list, for
//! measurements: a model with a version, a change that waits, the audit record of its submission.
//!
//! It goes through the store's ports, so that what is measured reads what the console itself would
//! have written. Everything follows from the row's number: two runs fill the same.

mod rows;

use audit::Keyring;
use base64::Engine as _;
use domain::Micros;
use services::ports::{CatalogStore as _, ChangeStore as _, Entropy, PeopleStore as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match fill(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn fill(args: &[String]) -> Result<(), String> {
    let [config, from, to] = args else {
        return Err("gatehouse-fill CONFIG FROM TO".into());
    };
    let number = |text: &str| text.parse::<u32>().map_err(|e| format!("{text}: {e}"));
    let (from, to) = (number(from)?, number(to)?);
    let (url, secret) = settings(config)?;
    let options = store::Options::new(
        Keyring::new(&secret),
        Arc::new(Numbers(AtomicU64::new(u64::from(from) << 32))),
    );
    let db = store::connect(&url, options).await.map_err(said)?;

    let (person, account) = db
        .sign_in(&rows::sign_in(), rows::person(), rows::account())
        .await
        .map_err(said)?;
    let registry = rows::registry();
    if db.registry(registry.id).await.map_err(said)?.is_none() {
        db.registry_put(&registry, None, &[]).await.map_err(said)?;
    }
    for n in from..to {
        let (model, version) = (rows::model_id(n), rows::version_id(n));
        db.version_put(&rows::version(n), model, version)
            .await
            .map_err(said)?;
        let (change, revision, item) = rows::change(n, person.id, account.id);
        let record = rows::record(n, &change, person.id, account.id);
        db.change_create(&change, &revision, &[item], &[], None, &[record])
            .await
            .map_err(said)?;
    }
    db.close().await;
    Ok(())
}

fn said(error: domain::Error) -> String {
    error.for_log().to_string()
}

/// The database and the secret key that a console's configuration file names.
fn settings(config: &str) -> Result<(String, [u8; 32]), String> {
    let text = std::fs::read_to_string(config).map_err(|e| format!("{config}: {e}"))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{config}: {e}"))?;
    let get = |section: &str, key: &str| {
        let value = table
            .get(section)
            .and_then(|section| section.get(key))
            .and_then(toml::Value::as_str);
        value
            .map(str::to_owned)
            .ok_or_else(|| format!("{config} has no {section}.{key}"))
    };
    let key = base64::engine::general_purpose::STANDARD
        .decode(get("server", "secret_key")?)
        .map_err(|e| format!("server.secret_key: {e}"))?;
    Ok((
        get("database", "url")?,
        key.try_into()
            .map_err(|_| "server.secret_key: not 32 bytes")?,
    ))
}

/// "Randomness" that is the same in every run. Only measurements may use it: keys made from it
/// protect nothing.
struct Numbers(AtomicU64);

impl Entropy for Numbers {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
    }

    fn uuid(&self) -> uuid::Uuid {
        rows::uuid(9, self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The moment at which row `n` was made: one each minute, so that orders are stable.
fn at(n: u32) -> Micros {
    Micros(1_790_000_000_000_000 + i64::from(n) * 60 * Micros::SECOND)
}
