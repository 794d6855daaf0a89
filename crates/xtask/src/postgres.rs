//! A PostgreSQL server for the tests: Debian's programs, a folder that is thrown away, a free
//! loopback port.

use crate::Result;
use crate::children::Running;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::{shell, tools};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the server may take until it accepts connections.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server; dropped, it ends and its folder goes.
pub struct Postgres {
    port: u16,
    dir: PathBuf,
    programs: PathBuf,
    running: Option<Running>,
}

/// The user that runs the server: it refuses to run as root.
#[derive(Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Starts one, installing Debian's package if there is none.
    ///
    /// # Errors
    /// What is missing, or the end of the server's log.
    pub fn start(paths: &Paths, progress: &Progress) -> Result<Self> {
        let programs = match find() {
            Some(dir) => dir,
            None => {
                tools::apt(&["postgresql"], &paths.log("apt"), progress)?;
                find().ok_or("the package postgresql brought no server")?
            }
        };
        progress.say("postgres", format_args!("starting {}", programs.display()));
        let dir = std::env::temp_dir().join(format!("gatehouse-postgres-{}", std::process::id()));
        shell::make_dir(&dir)?;
        let owner = owner()?;
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&dir, mode).map_err(|e| format!("{}: {e}", dir.display()))?;
        if let Some(owner) = owner {
            chown(&dir, Some(owner.uid), Some(owner.gid))
                .map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        let mut server = Self {
            port: free_port()?,
            dir,
            programs,
            running: None,
        };
        server.initialise(owner, paths, progress)?;
        server.launch(owner, paths)?;
        Ok(server)
    }

    /// A connection URL for a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://gatehouse@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// What the server says.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let out = Command::new(self.programs.join("psql"))
            .args([
                "--no-psqlrc",
                "--quiet",
                "--set",
                "ON_ERROR_STOP=1",
                "--dbname",
                &self.url("postgres"),
                "--command",
            ])
            .arg(format!("CREATE DATABASE {name}"))
            .output()
            .map_err(|e| format!("psql: {e}"))?;
        if out.status.success() {
            return Ok(());
        }
        Err(format!(
            "cannot make the database {name}: {}",
            String::from_utf8_lossy(&out.stderr).trim()
        ))
    }

    fn initialise(&self, owner: Option<Owner>, paths: &Paths, progress: &Progress) -> Result<()> {
        let mut command = self.command("initdb", owner);
        command.arg("--pgdata").arg(self.data()).args([
            "--username=gatehouse",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        shell::logged(
            command,
            "postgres",
            "initdb",
            &paths.log("initdb"),
            progress,
        )
    }

    fn launch(&mut self, owner: Option<Owner>, paths: &Paths) -> Result<()> {
        let mut command = self.command("postgres", owner);
        command
            .arg("-D")
            .arg(self.data())
            .arg("-p")
            .arg(self.port.to_string());
        // Nothing here outlives the tests, so nothing has to reach the disk.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=300",
        ] {
            command.args(["-c", setting]);
        }
        let mut running = Running::start("PostgreSQL", command, paths.log("postgres"))?;
        let start = Instant::now();
        loop {
            running.check()?;
            let ready = self.programs.join("pg_isready");
            let answers = TcpStream::connect(("127.0.0.1", self.port)).is_ok()
                && shell::output(ready, &["-h", "127.0.0.1", "-p", &self.port.to_string()])
                    .is_some();
            if answers {
                self.running = Some(running);
                return Ok(());
            }
            if start.elapsed() > START_LIMIT {
                return Err(format!(
                    "PostgreSQL did not come up; {}",
                    shell::end_of(&running.log)
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn command(&self, program: &str, owner: Option<Owner>) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(&self.dir).env("LC_ALL", "C.UTF-8");
        if let Some(owner) = owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The server first, then its files; what remains in the temporary folder harms nobody.
        drop(self.running.take());
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The folder with the server's programs: Debian's newest, else the one beside `postgres` on the
/// `PATH`.
fn find() -> Option<PathBuf> {
    let complete = |dir: &Path| {
        ["initdb", "postgres", "pg_isready", "psql"]
            .iter()
            .all(|name| dir.join(name).is_file())
    };
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|dir| complete(dir))
        .collect();
    debian.sort_by_key(|dir| {
        let version = dir
            .parent()
            .and_then(Path::file_name)
            .map(|name| name.to_string_lossy().into_owned());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    debian.pop().or_else(|| {
        let beside = shell::which("postgres")?
            .canonicalize()
            .ok()?
            .parent()?
            .to_path_buf();
        complete(&beside).then_some(beside)
    })
}

/// Whom to run as: nobody in particular unless we are root.
fn owner() -> Result<Option<Owner>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str, user: &str| {
        shell::output("id", &[flag, user]).and_then(|text| text.parse().ok())
    };
    ["postgres", "nobody"]
        .iter()
        .find_map(|user| {
            Some(Owner {
                uid: id("-u", user)?,
                gid: id("-g", user)?,
            })
        })
        .map(Some)
        .ok_or_else(|| "no unprivileged user to run PostgreSQL as".into())
}

fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).map_err(|e| format!("no free loopback port: {e}"))?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.port())
}
