//! Builds what is missing in the cache.

use super::{Program, Progress, ProgressFn, Set, Tool, binary, cache_dir, embedded, provider_dir};
use crate::error::{Error, Result, tail, write_file};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Builds the programs of `set` that the cache lacks.
///
/// # Errors
/// A missing tool by name with the command that installs it; a build that fails with the end
/// of its output.
pub async fn ensure(set: Set, progress: ProgressFn<'_>) -> Result<()> {
    let cache = cache_dir()?;
    let missing = |programs: &[Program]| -> Vec<Program> {
        programs
            .iter()
            .filter(|program| !binary(&cache, program).exists())
            .copied()
            .collect()
    };
    let wanted = set.programs();
    if !missing(&wanted).is_empty() {
        super::check_tools(&[Tool::Go, Tool::Cc])?;
        // One builder at a time: a second one waits and then finds everything there.
        let _lock = lock(&cache.join("build.lock")).await?;
        let missing = missing(&wanted);
        let total = missing.len();
        for (index, program) in missing.iter().enumerate() {
            build(&cache, program, (index + 1, total), progress).await?;
        }
    }
    if set != Set::Clients {
        ensure_provider(progress).await?;
    }
    Ok(())
}

/// Installs the OpenID provider's packages and program, and returns the program's path.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_provider(progress: ProgressFn<'_>) -> Result<PathBuf> {
    let cache = cache_dir()?;
    let dir = provider_dir(&cache);
    if !dir.join("complete").exists() {
        super::check_tools(&[Tool::Node, Tool::Npm])?;
        let _lock = lock(&cache.join("npm.lock")).await?;
        if !dir.join("complete").exists() {
            for (name, content) in embedded::PROVIDER_PACKAGE {
                write_file(&dir.join(name), content, false)?;
            }
            let mut npm = Command::new("npm");
            npm.args([
                "ci",
                "--omit=dev",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
            ])
            .current_dir(&dir);
            let log = cache.join("logs").join("oidc-provider.log");
            run(npm, "install", "oidc-provider", None, &log, progress).await?;
            write_file(&dir.join("complete"), b"", false)?;
        }
    }
    let program = dir.join(format!("program-{}", embedded::provider_program_hash()));
    for (name, content) in embedded::PROVIDER_PROGRAM {
        let file = program.join(name);
        if !file.exists() {
            write_file(&file, content, false)?;
        }
    }
    Ok(program.join("provider.mjs"))
}

async fn build(
    cache: &Path,
    program: &Program,
    step: (usize, usize),
    progress: ProgressFn<'_>,
) -> Result<()> {
    let target = binary(cache, program);
    let source = cache.join("src").join(
        target
            .parent()
            .and_then(Path::file_name)
            .expect("a binary lies in its module's folder"),
    );
    for (name, content) in embedded::module_files(program.module) {
        write_file(&source.join(name), content, false)?;
    }
    let unfinished = target.with_extension("unfinished");
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
    }
    let mut go = Command::new("go");
    go.arg("build")
        .args(["-trimpath", "-mod=readonly", "-buildvcs=false"])
        .arg(format!("-ldflags={}", embedded::ldflags(program.module)))
        .arg(format!("-tags={}", program.tags))
        .arg("-o")
        .arg(&unfinished)
        .arg(program.package)
        .env("GOWORK", "off")
        .env("GOFLAGS", "")
        .current_dir(&source);
    let log = cache.join("logs").join(format!("{}.log", program.name));
    run(go, "build", program.name, Some(step), &log, progress).await?;
    std::fs::rename(&unfinished, &target).map_err(Error::file(&target))
}

async fn run(
    mut command: Command,
    phase: &'static str,
    subject: &str,
    step: Option<(usize, usize)>,
    log: &Path,
    progress: ProgressFn<'_>,
) -> Result<()> {
    if let Some(parent) = log.parent() {
        std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
    }
    let output = std::fs::File::create(log).map_err(Error::file(log))?;
    let errors = output.try_clone().map_err(Error::file(log))?;
    let start = Instant::now();
    let report = |done| {
        progress(Progress {
            phase,
            subject: subject.to_owned(),
            step,
            elapsed: start.elapsed(),
            done,
        });
    };
    report(false);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| Error::other(format!("{phase} {subject}: {e}")))?;
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    tick.tick().await;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            _ = tick.tick() => report(false),
        }
    };
    match status {
        Ok(status) if status.success() => {
            report(true);
            Ok(())
        }
        _ => Err(Error::Build {
            program: subject.to_owned(),
            log: log.to_path_buf(),
            tail: tail(log, 20),
        }),
    }
}

/// Waits for a lock between processes; it goes when the file is dropped.
async fn lock(path: &Path) -> Result<std::fs::File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::file(parent))?;
    }
    let path = path.to_path_buf();
    tokio::task::spawn_blocking(move || {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::file(&path))?;
        file.lock().map_err(Error::file(&path))?;
        Ok(file)
    })
    .await
    .map_err(Error::other)?
}
