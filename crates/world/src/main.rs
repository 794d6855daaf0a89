//! `gatehouse-world`: builds, starts and stops the world of real programs.

use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use world::programs::{self, Progress, Set};
use world::{Error, Options, Result, World, WorldAddresses};

#[derive(Debug, Parser)]
#[command(about = "A laptop-sized world of real programs for Gatehouse", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build what is missing, start the world and keep it until Ctrl-C.
    #[command(alias = "run")]
    Start(Start),
    /// End a world that was started with --detach.
    Stop {
        /// The world's state folder.
        #[arg(long, alias = "state-dir", default_value = ".world")]
        state: PathBuf,
    },
    /// Build the programs without starting them.
    Build {
        /// Also kubectl, oras and cosign.
        #[arg(long)]
        clients: bool,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// The folder that keeps everything between runs.
    #[arg(long, alias = "state-dir", default_value = ".world")]
    state: PathBuf,
    /// Where the console answers (default: a free port, remembered).
    #[arg(long, value_name = "URL")]
    console_url: Option<String>,
    /// Throw the old state away.
    #[arg(long)]
    fresh: bool,
    /// Leave the world running and return once it is ready.
    #[arg(long)]
    detach: bool,
    /// Definitions of KServe's kinds to use instead of the project's own.
    #[arg(long, value_name = "DIR")]
    kserve_crds: Option<PathBuf>,
    /// Leave the place of KServe's controller to a real one.
    #[arg(long)]
    no_kserve_stand_in: bool,
    /// Do not seed a fresh world.
    #[arg(long)]
    no_seed: bool,
    /// Put a proxy in front of each part, to make it slow, broken or absent.
    #[arg(long)]
    proxies: bool,
    /// Do not wait for the disk in etcd (tests only).
    #[arg(long)]
    unsafe_no_fsync: bool,
    /// Only these clusters.
    #[arg(long, value_delimiter = ',')]
    clusters: Option<Vec<String>>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,world=info".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Build { clients } => {
            let set = if clients { Set::All } else { Set::World };
            programs::ensure(set, &print_progress).await
        }
        Command::Stop { state } => world::detached::stop(&state).await,
        Command::Start(start) if start.detach => {
            programs::ensure(Set::World, &print_progress).await?;
            let file = {
                let binary = std::env::current_exe().map_err(Error::other)?;
                world::detached::start(&binary, &start.state, &arguments(&start)).await?
            };
            print_addresses(&WorldAddresses::read(&file)?);
            ready(&file);
            Ok(())
        }
        Command::Start(start) => {
            programs::ensure(Set::World, &print_progress).await?;
            let world = World::start(options(start), &print_progress).await?;
            print_addresses(world.addresses());
            ready(&world.addresses().file());
            let failed = wait(&world).await;
            world.stop().await;
            failed.map_or(Ok(()), Err)
        }
    }
}

fn options(start: Start) -> Options {
    let mut options = Options::new(start.state);
    options.console_url = start.console_url;
    options.fresh = start.fresh;
    options.kserve_crds = start.kserve_crds;
    options.kserve_stand_in = !start.no_kserve_stand_in;
    options.seed = !start.no_seed;
    options.proxies = start.proxies;
    options.unsafe_no_fsync = start.unsafe_no_fsync;
    if let Some(clusters) = start.clusters {
        options.clusters = clusters;
    }
    options
}

/// The arguments by which a detached process starts the same world.
fn arguments(start: &Start) -> Vec<std::ffi::OsString> {
    let mut list: Vec<std::ffi::OsString> = vec!["start".into()];
    let mut flag = |set: bool, name: &str| {
        if set {
            list.push(name.into());
        }
    };
    flag(start.fresh, "--fresh");
    flag(start.no_kserve_stand_in, "--no-kserve-stand-in");
    flag(start.no_seed, "--no-seed");
    flag(start.proxies, "--proxies");
    flag(start.unsafe_no_fsync, "--unsafe-no-fsync");
    list.push("--state".into());
    list.push(start.state.clone().into());
    if let Some(url) = &start.console_url {
        list.push("--console-url".into());
        list.push(url.into());
    }
    if let Some(dir) = &start.kserve_crds {
        list.push("--kserve-crds".into());
        list.push(dir.clone().into());
    }
    if let Some(clusters) = &start.clusters {
        list.push("--clusters".into());
        list.push(clusters.join(",").into());
    }
    list
}

/// Waits for Ctrl-C or SIGTERM, or for a part to end by itself.
async fn wait(world: &World) -> Option<Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => return Some(Error::other(error)),
    };
    let mut tick = tokio::time::interval(Duration::from_secs(2));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return None,
            _ = terminate.recv() => return None,
            _ = tick.tick() => {
                if let Some(error) = world.failure() {
                    return Some(error);
                }
            }
        }
    }
}

fn print_progress(progress: Progress) {
    let step = progress
        .step
        .map(|(step, of)| format!(" {step}/{of}"))
        .unwrap_or_default();
    let end = if progress.done { " done" } else { "" };
    eprintln!(
        "[{}{step}] {} {:.1} s{end}",
        progress.phase,
        progress.subject,
        progress.elapsed.as_secs_f64()
    );
}

fn print_addresses(world: &WorldAddresses) {
    println!(
        "console     {} (configuration: {})",
        world.console.url,
        world.console.config.display()
    );
    for cluster in &world.clusters {
        println!(
            "cluster     {:9} {} (kubeconfig: {})",
            cluster.name,
            cluster.server,
            cluster.admin_kubeconfig.display()
        );
    }
    let registry = &world.registry;
    println!(
        "registry    {} (user {}, password {})",
        registry.url, registry.username, registry.password
    );
    println!("prometheus  {}", world.prometheus.url);
    println!("provider    {}", world.provider.issuer);
    if let Some(faults) = &world.faults {
        println!("faults      {}", faults.url);
    }
    println!("Who can sign in (password: {}):", world::accounts::PASSWORD);
    for account in &world.provider.accounts {
        println!("  {:18} {} ({})", account.login, account.name, account.role);
    }
}

fn ready(file: &Path) {
    println!("READY {}", file.display());
}
