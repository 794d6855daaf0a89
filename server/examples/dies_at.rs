//! The console as `gatehouse` runs it, for tests of what a kill leaves behind: it kills itself with
//! SIGKILL at the boundary between decided and applied that `GATEHOUSE_TEST_DIE_AT` names. The
//! configuration file is that of `GATEHOUSE_CONFIG`.

use server::{config::Config, wire};
use std::{path::Path, process::Command};
use tokio_util::sync::CancellationToken;

fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("the first TLS provider of this process");
    let file = std::env::var("GATEHOUSE_CONFIG").expect("GATEHOUSE_CONFIG names a file");
    let config = Config::load(Path::new(&file)).expect("a configuration that can be used");
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(wire::serve(config, die, CancellationToken::new()))
        .expect("a console that runs");
}

/// Nothing after the boundary happens any more in this process.
fn die(at: &'static str) {
    if std::env::var("GATEHOUSE_TEST_DIE_AT").is_ok_and(|name| name == at) {
        let own = std::process::id().to_string();
        // It does not come back from this.
        let _ = Command::new("kill").args(["-KILL", &own]).status();
        loop {
            std::thread::park();
        }
    }
}
