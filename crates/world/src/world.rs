//! A world from its start to its end.

use crate::addresses::{
    ClusterAddresses, ConsoleAddress, FaultsAddresses, PrometheusAddresses, ProviderAddresses,
    RegistryAddresses, WorldAddresses,
};
use crate::error::{Error, Result, write_file};
use crate::faults::Faults;
use crate::kubernetes::{self, Plane};
use crate::layout::{Layout, Options};
use crate::pki::{Pki, cosign_key};
use crate::process::{Guard, Program};
use crate::programs::{self, Progress, ProgressFn};
use crate::{accounts, console_config, kserve, prometheus, provider, registry, seed};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A world whose addresses, files and secrets exist, and whose programs do not run yet.
///
/// A console can be started from [`Prepared::console_config`] right away: what it looks for
/// comes up meanwhile.
#[derive(Debug)]
pub struct Prepared {
    options: Options,
    layout: Layout,
    pki: Pki,
    addresses: WorldAddresses,
}

/// A running world. Everything it started ends with it, also when it is dropped or this process
/// is killed; [`World::stop`] ends it in good order.
#[derive(Debug)]
pub struct World {
    addresses: WorldAddresses,
    planes: Vec<Plane>,
    services: Vec<Arc<Program>>,
    faults: Option<Faults>,
    tasks: Vec<JoinHandle<()>>,
    shutdown: CancellationToken,
    guard: Guard,
    layout: Layout,
}

/// Chooses ports, makes keys and secrets, and writes the files of a world.
///
/// # Errors
/// When another world runs from the folder or the folder cannot be written.
pub fn prepare(options: Options) -> Result<Prepared> {
    let mut layout = Layout::open(&options.state_dir, options.fresh)?;
    let mut ports: Vec<String> = Vec::new();
    for cluster in &options.clusters {
        ports.extend(kubernetes::port_names(cluster));
        ports.push(format!("{cluster}/webhook"));
        ports.push(format!("{cluster}/proxy"));
    }
    for part in ["console", "faults", "exporter"] {
        ports.push(part.to_owned());
    }
    for part in [registry::PORTS, prometheus::PORTS, provider::PORTS].concat() {
        ports.push(part.to_owned());
        ports.push(format!("{part}/proxy"));
    }
    if options.console_url.is_some() {
        // Somebody else listens there, now or soon.
        ports.retain(|name| name != "console");
    }
    layout.choose_ports(&ports)?;
    let pki = Pki::ensure(&layout.path("pki"))?;
    let addresses = addresses(&options, &layout, &pki)?;
    for cluster in &addresses.clusters {
        Plane::write_files(&mut layout, &pki, &cluster.name, &cluster.server)?;
    }
    console_config::write(&layout, &addresses)?;
    Ok(Prepared {
        options,
        layout,
        pki,
        addresses,
    })
}

impl Prepared {
    /// The configuration file for a console of this world.
    pub fn console_config(&self) -> &Path {
        &self.addresses.console.config
    }

    /// The addresses as planned; clusters' UIDs are known only once they run.
    pub fn addresses(&self) -> &WorldAddresses {
        &self.addresses
    }

    /// Builds nothing, starts everything, fills a fresh world, and writes `world.json`.
    ///
    /// # Errors
    /// The part that did not start, with the end of its log.
    pub async fn start(self, progress: ProgressFn<'_>) -> Result<World> {
        let Self {
            options,
            layout,
            pki,
            mut addresses,
        } = self;
        let begun = Instant::now();
        let report = |phase, subject: &str, done| {
            progress(Progress {
                phase,
                subject: subject.to_owned(),
                step: None,
                elapsed: begun.elapsed(),
                done,
            });
        };
        report("start", "world", false);
        let script = programs::ensure_provider(progress).await?;
        programs::link_into(&layout.path("bin"))?;
        let guard = Guard::start()?;
        let shutdown = CancellationToken::new();
        let console_url = addresses.console.url.clone();
        let issuer = addresses.provider.issuer.clone();
        let faults = if options.proxies {
            Some(Faults::start(&layout, &pki, &options.clusters, shutdown.clone()).await?)
        } else {
            None
        };
        let planes = futures::future::try_join_all(options.clusters.iter().map(|name| async {
            let plane = Plane::start(&layout, &pki, &guard, name, options.unsafe_no_fsync).await?;
            report("start", name, false);
            fill(&plane, &layout).await?;
            report("start", name, true);
            Ok::<_, Error>(plane)
        }));
        let (planes, registry, prometheus, provider) = futures::try_join!(
            planes,
            registry::start(&layout, &guard, &console_url),
            prometheus::start(&layout, &guard),
            provider::start(&layout, &guard, script, &issuer, &console_url),
        )?;
        for (plane, cluster) in planes.iter().zip(&mut addresses.clusters) {
            cluster.uid = cluster_uid(plane).await?;
        }
        let mut world = World {
            addresses,
            planes,
            services: vec![prometheus, registry, provider],
            faults,
            tasks: Vec::new(),
            shutdown,
            guard,
            layout,
        };
        world.run_stand_ins(&options).await?;
        world.addresses.write()?;
        if world.layout.is_new {
            if options.seed {
                seed::apply(&world.addresses, progress).await?;
            }
            world.layout.mark_complete()?;
        }
        write_file(
            &world.layout.path("world.pid"),
            std::process::id().to_string(),
            false,
        )?;
        report("start", "world", true);
        Ok(world)
    }
}

impl World {
    /// Prepares and starts a world. The programs must be built (see [`programs::ensure`]).
    ///
    /// # Errors
    /// As [`prepare`] and [`Prepared::start`].
    pub async fn start(options: Options, progress: ProgressFn<'_>) -> Result<Self> {
        prepare(options)?.start(progress).await
    }

    /// Every address and credential.
    pub fn addresses(&self) -> &WorldAddresses {
        &self.addresses
    }

    /// The proxies, when the world was started with them.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_ref()
    }

    /// A running program by its part's name (`registry`, `prometheus`, `provider`,
    /// `onprem-1/api-server`, `onprem-1/etcd`, …).
    ///
    /// # Errors
    /// When there is no such part.
    pub fn part(&self, name: &str) -> Result<&Arc<Program>> {
        self.programs()
            .find(|program| program.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = self.programs().map(|program| program.name()).collect();
                Error::other(format!("no part {name}: there are {}", names.join(", ")))
            })
    }

    fn programs(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.planes
            .iter()
            .flat_map(Plane::parts)
            .chain(&self.services)
    }

    /// Stops a part and starts it again. Returns when the process runs; whoever needs it to
    /// answer waits for that.
    ///
    /// # Errors
    /// When there is no such part or it cannot be started.
    pub async fn restart(&self, name: &str) -> Result<()> {
        let program = self.part(name)?;
        program.stop().await;
        program.start_again()?;
        if name == "prometheus" {
            prometheus::wait_ready(program, self.layout.port("prometheus")).await?;
        }
        Ok(())
    }

    /// The first part that has ended although nobody stopped it, as an error.
    pub fn failure(&self) -> Option<Error> {
        self.programs()
            .find_map(|program| program.ended().map(|reason| program.failure(reason)))
    }

    /// Ends everything in good order: stand-ins first, stores last.
    pub async fn stop(self) {
        self.shutdown.cancel();
        for mut task in self.tasks {
            // A controller that is told to end before its first list came back waits for that
            // list; there is nothing of it to lose.
            if tokio::time::timeout(Duration::from_secs(2), &mut task)
                .await
                .is_err()
            {
                task.abort();
            }
        }
        let planes = self.planes.iter().map(|plane| async {
            let (stores, users) = plane
                .parts()
                .split_last()
                .expect("a plane has at least its store");
            futures::future::join_all(users.iter().map(|part| part.stop())).await;
            stores.stop().await;
        });
        let services = self.services.iter().map(|part| part.stop());
        futures::join!(
            futures::future::join_all(planes),
            futures::future::join_all(services),
        );
        self.guard.end().await;
        let _ = std::fs::remove_file(self.layout.path("world.pid"));
    }

    /// Installs KServe's definitions and webhooks, and runs the stand-in for its controller.
    async fn run_stand_ins(&mut self, options: &Options) -> Result<()> {
        if !options.kserve_stand_in {
            return Ok(());
        }
        let clusters = &self.addresses.clusters;
        let installed = futures::future::try_join_all(clusters.iter().map(|cluster| async {
            let client = cluster.controller().await?;
            let said = |error: kserve::Error| {
                Error::other(format!("KServe's stand-in in {}: {error}", cluster.name))
            };
            // One endpoint for each cluster: what it answers follows that cluster's settings.
            let port = self.layout.port(&format!("{}/webhook", cluster.name));
            let webhook = kserve::WebhookEndpoint::start(port).await.map_err(said)?;
            kserve::install(&client, &webhook, options.kserve_crds.as_deref())
                .await
                .map_err(said)?;
            kubernetes::show_kserve(&cluster.name, client.clone()).await?;
            Ok::<_, Error>((cluster.name.clone(), client, webhook))
        }))
        .await?;
        for (cluster, client, webhook) in installed {
            let shutdown = self.shutdown.clone();
            self.tasks.push(tokio::spawn(async move {
                let ended = kserve::run(client, kserve::Options::default(), shutdown).await;
                if let Err(error) = ended {
                    tracing::error!(%cluster, %error, "KServe's stand-in ended");
                }
                drop(webhook);
            }));
        }
        let exporter = crate::exporter::start(&self.addresses, self.shutdown.clone()).await?;
        self.tasks.push(exporter);
        Ok(())
    }
}

/// Installs what a cluster holds; skipped when this very content was installed before.
async fn fill(plane: &Plane, layout: &Layout) -> Result<()> {
    let marker = plane.file("installed");
    let version = kubernetes::content_hash();
    if !layout.is_new && std::fs::read_to_string(&marker).is_ok_and(|text| text == version) {
        return Ok(());
    }
    kubernetes::install(&plane.name, plane.admin().await?, &plane.file("pod-logs")).await?;
    write_file(&marker, version, false)
}

async fn cluster_uid(plane: &Plane) -> Result<String> {
    use k8s_openapi::api::core::v1::Namespace;
    let what = "reading namespace kube-system";
    let namespaces = kube::Api::<Namespace>::all(plane.admin().await?);
    let namespace = namespaces
        .get("kube-system")
        .await
        .map_err(Error::kube(&plane.name, what))?;
    namespace
        .metadata
        .uid
        .ok_or_else(|| Error::other("kube-system has no UID"))
}

fn addresses(options: &Options, layout: &Layout, pki: &Pki) -> Result<WorldAddresses> {
    let loopback = |port: u16| format!("http://127.0.0.1:{port}");
    let public = |part: &str| {
        if options.proxies {
            layout.port(&format!("{part}/proxy"))
        } else {
            layout.port(part)
        }
    };
    let console_url = match &options.console_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => loopback(layout.port("console")),
    };
    let clusters = options
        .clusters
        .iter()
        .map(|name| {
            let dir = layout.path("clusters").join(name);
            let direct = kubernetes::server_url(layout, name);
            ClusterAddresses {
                name: name.clone(),
                uid: String::new(),
                server: if options.proxies {
                    format!(
                        "https://127.0.0.1:{}",
                        layout.port(&format!("{name}/proxy"))
                    )
                } else {
                    direct.clone()
                },
                direct_server: direct,
                ca: pki.ca(),
                admin_kubeconfig: dir.join("admin.kubeconfig"),
                console_kubeconfig: dir.join("console.kubeconfig"),
                controller_kubeconfig: dir.join("kserve.kubeconfig"),
                audit_log: dir.join("audit.log"),
                pod_logs: dir.join("pod-logs"),
            }
        })
        .collect();
    let registry_port = public("registry");
    let faults = options.proxies.then(|| FaultsAddresses {
        url: format!("{}/faults", loopback(layout.port("faults"))),
        token: layout.secrets.admin_token.clone(),
        parts: crate::faults::part_names(&options.clusters),
    });
    Ok(WorldAddresses {
        state_dir: layout.root().to_path_buf(),
        bin_dir: layout.path("bin"),
        pid: std::process::id(),
        console: ConsoleAddress {
            url: console_url,
            config: layout.path("console.toml"),
        },
        clusters,
        registry: RegistryAddresses {
            url: loopback(registry_port),
            direct_url: loopback(layout.port("registry")),
            host: format!("127.0.0.1:{registry_port}"),
            username: registry::USER.to_owned(),
            password: layout.secrets.registry_password.clone(),
            notification_token: layout.secrets.notification_token.clone(),
        },
        prometheus: PrometheusAddresses {
            url: loopback(public("prometheus")),
            direct_url: loopback(layout.port("prometheus")),
            exporter_port: layout.port("exporter"),
            targets_dir: layout.path("prometheus/targets"),
            data_dir: layout.path("prometheus/data"),
        },
        provider: ProviderAddresses {
            // A name of its own: cookies know no ports, and the console is on 127.0.0.1.
            issuer: format!("http://localhost:{}", public("provider")),
            client_id: provider::CLIENT_ID.to_owned(),
            client_secret: layout.secrets.client_secret.clone(),
            admin_url: format!("{}/admin", loopback(layout.port("provider"))),
            admin_token: layout.secrets.admin_token.clone(),
            accounts: accounts::all(),
        },
        faults,
        cosign_keys: vec![
            cosign_key(&layout.path("trust"), "release", true)?,
            cosign_key(&layout.path("trust"), "elsewhere", false)?,
        ],
    })
}
