//! `cargo xtask`: the commands that build, run and test Gatehouse.
//!
//! It is compiled by whichever cargo calls it and then chooses the toolchain that builds
//! everything else ([`toolchain`]), so it keeps to few dependencies.

mod args;
mod bench;
mod browser;
mod build;
mod children;
mod console;
mod fingerprint;
mod history;
mod mirror;
mod npm;
mod paths;
mod postgres;
mod progress;
mod run;
mod scripts;
mod shell;
mod site;
mod start;
mod state;
mod std_for_wasm;
mod tally;
mod test;
mod toolchain;
mod tools;
mod world;

use args::Args;
use std::process::ExitCode;

/// What went wrong, as a person should read it; there is no caller that tells cases apart.
pub type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
cargo xtask COMMAND

  run [--detach] [--fresh] [--port N]   build what is missing, start the world and the console
  run --config FILE [--port N]          the console alone, against the programs that FILE names
  stop                                  end what `run --detach` or `world --detach` left running
  test [--only PART,…] [-- MORE]        fmt, clippy, rust, browser; the last two on both databases
  world [ARGUMENTS]                     the world alone (`cargo xtask world --help`)
  site                                  only the browser's files: WASM, CSS, static files
  bench [--out DIR] [--dev]             measure, print a table, write bench.json
";

fn main() -> ExitCode {
    let args = Args::new(std::env::args().skip(1));
    match dispatch(args) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: Args) -> Result<ExitCode> {
    let command = args.command();
    match command.as_deref() {
        Some("run") => run::run(args),
        Some("stop") => run::stop(args),
        Some("test") => test::test(args),
        Some("world") => world::world(args),
        Some("site") => site::command(args),
        Some("bench") => bench::bench(args),
        Some("help" | "--help" | "-h") | None => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(format!("there is no command `{other}`\n\n{USAGE}")),
    }
}
