//! The console's program: its configuration file, starting it, waiting for it.

use crate::Result;
use crate::children::Running;
use crate::paths::Paths;
use crate::shell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Name of the console's program.
pub const PROGRAM: &str = "gatehouse";
/// Name of the console that kills itself where a test tells it to.
pub const DIES_AT: &str = "dies_at";

/// How long it may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Where a console will answer and how it is started.
#[derive(Debug, Clone)]
pub struct Console {
    /// The program.
    pub program: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// Another port than the file says.
    pub port: Option<u16>,
}

impl Console {
    /// Starts it; it may not answer yet.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, paths: &Paths, log: PathBuf) -> Result<Running> {
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(&self.config)
            .env("LEPTOS_SITE_ROOT", paths.site())
            // Its log is a file.
            .env("NO_COLOR", "1");
        // Our own variables begin as the console's settings do, and it refuses what it does not know.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GATEHOUSE_") && !text.contains("__") && text != "GATEHOUSE_LOG" {
                command.env_remove(&name);
            }
        }
        if let Some(port) = self.port {
            command
                .env("GATEHOUSE_SERVER__LISTEN", format!("127.0.0.1:{port}"))
                .env(
                    "GATEHOUSE_SERVER__PUBLIC_URL",
                    format!("http://127.0.0.1:{port}"),
                );
        }
        Running::start("the console", command, log)
    }

    /// The address where it listens and the one that people type.
    ///
    /// # Errors
    /// When the configuration file cannot be read.
    pub fn addresses(&self) -> Result<(String, String)> {
        if let Some(port) = self.port {
            return Ok((
                format!("127.0.0.1:{port}"),
                format!("http://127.0.0.1:{port}"),
            ));
        }
        let text = shell::read(&self.config)?;
        let value: toml::Table = text
            .parse()
            .map_err(|e| format!("{}: {e}", self.config.display()))?;
        let server = value.get("server").and_then(toml::Value::as_table);
        let get = |key: &str| {
            server
                .and_then(|table| table.get(key))
                .and_then(toml::Value::as_str)
                .map(str::to_owned)
        };
        let listen = get("listen").unwrap_or_else(|| "127.0.0.1:8080".into());
        let url = get("public_url").unwrap_or_else(|| format!("http://{listen}"));
        Ok((listen, url))
    }
}

/// Waits until a page answers at `listen`.
///
/// # Errors
/// When the console ends, takes too long, or `go_on` says no.
pub fn wait(running: &mut Running, listen: &str, mut go_on: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < START_LIMIT {
        running.check()?;
        if !go_on() {
            return Err("interrupted".into());
        }
        if answers(listen) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!(
        "the console did not answer at {listen}; {}",
        shell::end_of(&running.log)
    ))
}

/// Whether a console answers at `listen` now, with the first page that anybody sees.
pub fn answers(listen: &str) -> bool {
    status(listen, "/signin").is_some_and(|status| status == 200)
}

/// The HTTP status of a page, if something answers within a second.
fn status(listen: &str, page: &str) -> Option<u16> {
    let address: SocketAddr = listen.to_socket_addrs().ok()?.next()?;
    let second = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, second).ok()?;
    stream.set_read_timeout(Some(second)).ok()?;
    write!(
        stream,
        "GET {page} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    std::str::from_utf8(&start)
        .ok()?
        .strip_prefix("HTTP/1.1 ")?
        .trim()
        .parse()
        .ok()
}

/// A loopback port for the console: the one asked for, else 8080 or, if that is taken, a free one.
///
/// # Errors
/// When the port asked for is taken.
pub fn choose_port(asked: Option<u16>) -> Result<u16> {
    let free = |port: u16| {
        TcpListener::bind(("127.0.0.1", port))
            .ok()
            .and_then(|l| l.local_addr().ok())
    };
    match asked {
        Some(port) => free(port)
            .map(|_| port)
            .ok_or_else(|| format!("port {port} is in use: choose another with --port")),
        None => {
            let address = free(8080)
                .or_else(|| free(0))
                .ok_or("no free loopback port")?;
            Ok(address.port())
        }
    }
}

/// How long a decision can be undone in the browser's tests: they wait for it again and again.
const TEST_HOLD_SECONDS: i64 = 5;

/// A copy of a configuration file for tests, written to `to`: another database, a shorter hold, and
/// where it is asked for another loopback port.
///
/// # Errors
/// When the file is no TOML table or cannot be written.
pub fn for_tests(config: &Path, database: &str, port: Option<u16>, to: &Path) -> Result<()> {
    let mut settings: Vec<(&'static str, &'static str, toml::Value)> = vec![
        ("database", "url", database.into()),
        ("decisions", "hold_seconds", TEST_HOLD_SECONDS.into()),
    ];
    if let Some(port) = port {
        let listen = format!("127.0.0.1:{port}");
        settings.push(("server", "public_url", format!("http://{listen}").into()));
        settings.push(("server", "listen", listen.into()));
    }
    copy(config, settings, to)
}

/// A free one of the ports where the world's provider knows further consoles.
///
/// # Errors
/// When all of them are taken.
pub fn another_port() -> Result<u16> {
    (8081..=8089)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "the ports 8081 to 8089 are all in use".into())
}

/// A copy of a configuration file in which a decision takes effect at once: what a person may wait for
/// is no part of what a machine takes.
///
/// # Errors
/// When the file is no TOML table or cannot be written.
pub fn without_hold(config: &Path, to: &Path) -> Result<()> {
    copy(config, [("decisions", "hold_seconds", 0.into())], to)
}

/// A copy with other settings: section, key and value.
fn copy(
    config: &Path,
    settings: impl IntoIterator<Item = (&'static str, &'static str, toml::Value)>,
    to: &Path,
) -> Result<()> {
    let text = shell::read(config)?;
    let mut value: toml::Table = text
        .parse()
        .map_err(|e| format!("{}: {e}", config.display()))?;
    for (section, key, to) in settings {
        let section = value
            .entry(section)
            .or_insert_with(|| toml::Table::new().into());
        if let Some(table) = section.as_table_mut() {
            table.insert(key.into(), to);
        }
    }
    shell::write(to, toml::to_string(&value).map_err(|e| e.to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_have_a_database_of_their_own_and_the_rest_is_kept() {
        let dir = std::env::temp_dir().join(format!("xtask-console-{}", std::process::id()));
        let (from, to) = (dir.join("a.toml"), dir.join("b.toml"));
        shell::write(
            &from,
            "[server]\nlisten = \"127.0.0.1:1234\"\n[database]\nurl = \"sqlite:a\"\n",
        )
        .unwrap();
        for_tests(&from, "postgres://b", None, &to).unwrap();
        let text = shell::read(&to).unwrap();
        assert!(text.contains("postgres://b") && text.contains("1234") && !text.contains("sqlite"));
        let beside = dir.join("d.toml");
        for_tests(&from, "sqlite:c", Some(8081), &beside).unwrap();
        let text = shell::read(&beside).unwrap();
        assert!(text.contains("http://127.0.0.1:8081") && !text.contains("1234"));
        let at_once = dir.join("c.toml");
        without_hold(&to, &at_once).unwrap();
        let text = shell::read(&at_once).unwrap();
        assert!(text.contains("hold_seconds = 0") && text.contains("postgres://b"));
        let console = Console {
            program: PathBuf::new(),
            config: to,
            port: None,
        };
        assert_eq!(console.addresses().unwrap().1, "http://127.0.0.1:1234");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
