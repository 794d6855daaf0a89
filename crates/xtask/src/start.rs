//! The world and the console started side by side, and what that took.

use crate::children::Running;
use crate::console::{self, Console};
use crate::paths::Paths;
use crate::progress::{Progress, words};
use crate::world::{self, Addresses};
use crate::{Result, shell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Both, running.
pub struct Both {
    /// The world.
    pub world: Running,
    /// What it tells of itself.
    pub addresses: Addresses,
    /// The console.
    pub console: Running,
    /// Its address.
    pub url: String,
    /// From the beginning until the console's first page answered.
    pub first_page: Duration,
    /// From the beginning until everything was there.
    pub everything: Duration,
}

/// Where a world of this state folder writes the console's configuration.
pub fn config(options: &world::Options) -> PathBuf {
    options.state.join("console.toml")
}

/// What is started, and where it writes.
pub struct Start<'a> {
    /// The world's program.
    pub program: &'a Path,
    /// How the world is started.
    pub options: &'a world::Options,
    /// The world's log.
    pub world_log: PathBuf,
    /// The console, with the configuration that the world writes for it.
    pub console: &'a Console,
    /// The console's log.
    pub console_log: PathBuf,
}

/// Starts both: the world writes the console's configuration before it starts anything, so the
/// console starts beside it and its first page is there at once.
///
/// # Errors
/// When one of them ends or takes too long, or `stop` is set.
pub fn both(
    what: Start<'_>,
    paths: &Paths,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Both> {
    let Start {
        program,
        options,
        world_log,
        console,
        console_log,
    } = what;
    let go_on = || !stop.load(Ordering::Relaxed);
    let (begun, clock) = (SystemTime::now(), Instant::now());
    let mut world = world::start(program, options, world_log)?;
    let mut early: Option<(Running, String)> = None;
    let mut first_page = None;
    let addresses = world::wait(&mut world, &options.state, progress, || {
        match &mut early {
            None if is_newer(&console.config, begun) => {
                let text = shell::read(&console.config)?;
                early = Some((console.start(paths, console_log.clone())?, text));
            }
            Some((running, _)) if first_page.is_none() => {
                running.check()?;
                let (listen, url) = console.addresses()?;
                if console::answers(&listen) {
                    let took = clock.elapsed();
                    first_page = Some(took);
                    progress.say(
                        "console",
                        format_args!("{url} answers after {}", words(took)),
                    );
                }
            }
            _ => {}
        }
        Ok(go_on())
    })?;
    let now = shell::read(&console.config)?;
    let mut running = match early {
        Some((running, text)) if text == now => running,
        // Filling a fresh world adds the keys that it signs with.
        Some((running, _)) => {
            running.stop();
            console.start(paths, console_log)?
        }
        None => console.start(paths, console_log)?,
    };
    let (listen, url) = console.addresses()?;
    console::wait(&mut running, &listen, go_on)?;
    let everything = clock.elapsed();
    Ok(Both {
        world,
        addresses,
        console: running,
        url,
        first_page: first_page.unwrap_or(everything),
        everything,
    })
}

fn is_newer(file: &Path, than: SystemTime) -> bool {
    // Times of files are coarser than the clock.
    let slack = Duration::from_millis(50);
    let modified = fs::metadata(file).and_then(|meta| meta.modified());
    modified.is_ok_and(|time| time + slack >= than)
}
