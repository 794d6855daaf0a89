//! `gatehouse`: the console.

use clap::{Parser, Subcommand};
use server::{
    config::{Config, LogFormat},
    verify::{Verify, verify},
    wire,
};
use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A page is tens of thousands of small strings, made by several threads at once: the system's allocator
/// takes a fifth of the time that a list takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The console through which an organisation decides which AI models may serve.
#[derive(Parser)]
#[command(name = "gatehouse", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the console (the default).
    Serve(Serve),
    /// Reads a configuration file and says what is wrong with it.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Checks evidence of the audit log with its public key alone; needs no console and no network.
    Verify(Verify),
    /// Prints the version.
    Version,
}

#[derive(clap::Args)]
struct Serve {
    /// The configuration file (TOML). Environment variables GATEHOUSE_<SECTION>__<KEY> go over it.
    #[arg(long, env = "GATEHOUSE_CONFIG", default_value = "gatehouse.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    // One TLS provider for every library, before anything asks for one.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("another TLS provider is installed already");
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Version) => {
            println!("gatehouse {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(Command::CheckConfig { file }) => match Config::load(&file) {
            Ok(_) => {
                println!("{} can be used", file.display());
                ExitCode::SUCCESS
            }
            Err(e) => {
                eprintln!("{e}");
                ExitCode::FAILURE
            }
        },
        Some(Command::Verify(args)) => {
            if verify(&args) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Some(Command::Serve(serve)) => run(serve),
        None => run(cli.serve),
    }
}

fn run(serve: Serve) -> ExitCode {
    let config = match Config::load(&serve.config) {
        Ok(config) => config,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::FAILURE;
        }
    };
    let filter = EnvFilter::try_from_env("GATEHOUSE_LOG").unwrap_or_else(|_| {
        // What a cluster does not answer is said once, by `cluster`, in plain words.
        EnvFilter::new("info,sqlx=warn,kube_client=off,kube_runtime=off,tower_sessions_core=error,tower_sessions=error")
    });
    match config.server.log {
        LogFormat::Json => tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init(),
        LogFormat::Text => tracing_subscriber::fmt()
            .with_ansi(std::io::stderr().is_terminal())
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init(),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("the runtime cannot be started: {e}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(asked_to_end(stop.clone()));
        wire::serve(config, |_| (), stop).await
    });
    // What still blocks (a name that is being looked up) does not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            tracing::error!(problem = e.for_log(), "the console cannot run");
            eprintln!(
                "{}. {}",
                e.message,
                e.remedy
                    .as_deref()
                    .unwrap_or("The log above has the cause.")
            );
            ExitCode::FAILURE
        }
    }
}

/// Cancels when the process gets SIGINT or SIGTERM; a second one ends it at once.
async fn asked_to_end(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        tracing::error!("signals cannot be listened to; end the process with SIGKILL");
        return;
    };
    let mut wait = async || {
        tokio::select! { _ = int.recv() => {}, _ = term.recv() => {} }
    };
    wait().await;
    tracing::info!("asked to end");
    stop.cancel();
    wait().await;
    std::process::exit(130);
}
