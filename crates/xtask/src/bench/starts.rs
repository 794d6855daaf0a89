//! How long it takes until somebody sees a page: of everything that is built, and of the console alone.

use super::{
    median,
    report::{Goal, Report},
};
use crate::console::{self, Console};
use crate::paths::Paths;
use crate::progress::Progress;
use crate::run::Programs;
use crate::{Result, start, world};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Until the first page of world and console, in seconds.
const BOTH: f64 = 8.0;
/// Until the first page of a console whose world runs, in seconds.
const ALONE: f64 = 0.5;
/// So often the console alone is started; the median counts.
const TIMES: usize = 5;

/// Measures a fresh world with its console as `cargo xtask run` starts them, the same once more, and
/// the console alone. Nothing runs afterwards; the world's state stays.
///
/// # Errors
/// When something does not start, or `stop` is set.
pub fn measure(
    programs: &Programs,
    options: &world::Options,
    paths: &Paths,
    progress: &Progress,
    stop: &AtomicBool,
    report: &mut Report,
) -> Result<()> {
    let console = Console {
        program: programs.console.clone(),
        config: start::config(options),
        port: None,
    };
    for (name, fresh) in [("fresh", true), ("again", false)] {
        let options = world::Options {
            state: options.state.clone(),
            console_url: options.console_url.clone(),
            fresh,
            more: Vec::new(),
        };
        progress.say(
            "world",
            format_args!("starting it {name}, with the console"),
        );
        let what = start::Start {
            program: &programs.world,
            options: &options,
            world_log: paths.log("bench-world"),
            console: &console,
            console_log: paths.log("bench-console"),
        };
        let both = start::both(what, paths, progress, stop)?;
        let mut add = |what: &str, took: Duration, goal| {
            let name = format!("world and console, {name}: {what}");
            report.add(&name, took.as_secs_f64(), "s", None, goal);
        };
        add("first page", both.first_page, Goal::AtMost(BOTH));
        add("everything there", both.everything, Goal::None);
        both.console.stop();
        if !fresh {
            let alone = alone(&console, paths, stop)?;
            let name = format!("console alone, first page, median of {TIMES}");
            report.add(&name, alone, "s", None, Goal::AtMost(ALONE));
        }
        both.world.stop();
    }
    Ok(())
}

/// Seconds until the first page of a console whose world runs.
fn alone(console: &Console, paths: &Paths, stop: &AtomicBool) -> Result<f64> {
    let (listen, _) = console.addresses()?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let mut running = console.start(paths, paths.log("bench-console"))?;
        console::wait(&mut running, &listen, || !stop.load(Ordering::Relaxed))?;
        times.push(begun.elapsed().as_secs_f64());
        running.stop();
    }
    Ok(median(times))
}
