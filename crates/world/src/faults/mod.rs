//! Proxies that make parts of the world slow, broken or absent.
//!
//! Each part that the console talks to can have a proxy in front. A fault is set by the Rust API
//! or over HTTP: `PUT <admin>/faults/<part>` with a [`Fault`] as JSON, `DELETE` to end it,
//! `POST <admin>/faults/<part>/drop-watches` to end every streaming answer once, `GET
//! <admin>/faults` for what is set.

mod admin;
mod proxy;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::pki::Pki;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is wrong with a part. Several fields combine: a delay, then an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Waits before the request goes on.
    pub delay_ms: u64,
    /// Answers with this status instead of asking the part.
    pub status: Option<u16>,
    /// Never answers; the connection stays open.
    pub hang: bool,
    /// Closes connections: those that are open at once, new ones on their first byte.
    pub cut: bool,
    /// Breaks the connection after this many bytes of the answer's body.
    pub truncate: Option<u64>,
    /// Only these methods; empty means all.
    pub methods: Vec<String>,
    /// Only paths that contain this text.
    pub path: Option<String>,
    /// Only so many requests; then the part is well again.
    pub times: Option<u32>,
}

impl Fault {
    /// The part is away: connections are closed.
    pub fn away() -> Self {
        Self {
            cut: true,
            ..Self::default()
        }
    }

    /// The part answers with a status.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }

    /// The part is slow.
    pub fn slow(delay: Duration) -> Self {
        Self {
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            ..Self::default()
        }
    }

    /// The part accepts connections and never answers.
    pub fn hangs() -> Self {
        Self {
            hang: true,
            ..Self::default()
        }
    }

    fn concerns(&self, method: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|m| m.eq_ignore_ascii_case(method)))
            && self.path.as_deref().is_none_or(|text| path.contains(text))
    }
}

/// The state of one proxy.
#[derive(Debug, Default)]
pub(crate) struct State {
    fault: Mutex<Option<Fault>>,
    /// Cancelled to end open connections; replaced each time.
    connections: Mutex<CancellationToken>,
    /// Cancelled to end streaming answers; replaced each time.
    streams: Mutex<CancellationToken>,
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The fault for a request, counted down.
    fn take(&self, method: &str, path: &str) -> Option<Fault> {
        let mut slot = held(&self.fault);
        let fault = slot.as_mut().filter(|fault| fault.concerns(method, path))?;
        let taken = fault.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *slot = None;
            }
        }
        Some(taken)
    }

    fn set(&self, fault: Option<Fault>) {
        let cut = fault
            .as_ref()
            .is_some_and(|f| f.cut && f.methods.is_empty() && f.path.is_none());
        *held(&self.fault) = fault;
        if cut {
            std::mem::take(&mut *held(&self.connections)).cancel();
        }
    }

    fn drop_streams(&self) {
        std::mem::take(&mut *held(&self.streams)).cancel();
    }

    fn connection(&self) -> CancellationToken {
        held(&self.connections).clone()
    }

    fn stream(&self) -> CancellationToken {
        held(&self.streams).clone()
    }
}

/// All proxies of a world.
#[derive(Debug, Clone)]
pub struct Faults {
    parts: Arc<BTreeMap<String, Arc<State>>>,
}

/// The parts that have a proxy: each cluster, the registry, Prometheus, the provider.
pub fn part_names(clusters: &[String]) -> Vec<String> {
    clusters
        .iter()
        .cloned()
        .chain(["registry", "prometheus", "provider"].map(String::from))
        .collect()
}

impl Faults {
    pub(crate) async fn start(
        layout: &Layout,
        pki: &Pki,
        clusters: &[String],
        shutdown: CancellationToken,
    ) -> Result<Self> {
        let mut parts = BTreeMap::new();
        for part in part_names(clusters) {
            let state = Arc::new(State::default());
            let is_cluster = clusters.contains(&part);
            let upstream = if is_cluster {
                crate::kubernetes::server_url(layout, &part)
            } else {
                format!("http://127.0.0.1:{}", layout.port(&part))
            };
            proxy::start(
                layout.port(&format!("{part}/proxy")),
                &upstream,
                is_cluster.then_some(pki),
                state.clone(),
                shutdown.clone(),
            )
            .await?;
            parts.insert(part, state);
        }
        let faults = Self {
            parts: Arc::new(parts),
        };
        admin::start(
            layout.port("faults"),
            layout.secrets.admin_token.clone(),
            faults.clone(),
            shutdown,
        )
        .await?;
        Ok(faults)
    }

    fn part(&self, part: &str) -> Result<&Arc<State>> {
        self.parts.get(part).ok_or_else(|| {
            let names: Vec<&str> = self.parts.keys().map(String::as_str).collect();
            Error::other(format!("no part {part}: there are {}", names.join(", ")))
        })
    }

    /// Sets a part's fault in place of the one before.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn set(&self, part: &str, fault: Fault) -> Result<()> {
        self.part(part)?.set(Some(fault));
        Ok(())
    }

    /// Makes a part well again.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn clear(&self, part: &str) -> Result<()> {
        self.part(part)?.set(None);
        Ok(())
    }

    /// Ends every streaming answer (watches, logs) of a part once.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn drop_watches(&self, part: &str) -> Result<()> {
        self.part(part)?.drop_streams();
        Ok(())
    }

    /// What is set, by part.
    pub fn current(&self) -> BTreeMap<String, Option<Fault>> {
        self.parts
            .iter()
            .map(|(name, state)| (name.clone(), held(&state.fault).clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_counts_only_what_it_concerns() {
        let state = State::default();
        assert_eq!(state.take("GET", "/v2/"), None);
        state.set(Some(Fault {
            status: Some(500),
            methods: vec!["PUT".into(), "patch".into()],
            path: Some("/manifests/".into()),
            times: Some(2),
            ..Fault::default()
        }));
        assert_eq!(state.take("GET", "/v2/a/manifests/1"), None);
        assert_eq!(state.take("PUT", "/v2/a/blobs/1"), None);
        for method in ["PUT", "PATCH"] {
            let fault = state.take(method, "/v2/a/manifests/1").unwrap();
            assert_eq!(fault.status, Some(500));
        }
        assert_eq!(state.take("PUT", "/v2/a/manifests/1"), None, "used up");
    }

    #[test]
    fn only_a_whole_cut_ends_open_connections() {
        let state = State::default();
        let open = state.connection();
        state.set(Some(Fault {
            path: Some("/x".into()),
            ..Fault::away()
        }));
        assert!(!open.is_cancelled());
        state.set(Some(Fault::away()));
        assert!(open.is_cancelled());
        assert!(!state.connection().is_cancelled(), "new ones begin well");
        let stream = state.stream();
        state.drop_streams();
        assert!(stream.is_cancelled() && !state.stream().is_cancelled());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<Fault>(r#"{"delay": 5}"#).is_err());
        let fault: Fault = serde_json::from_str(r#"{"delay_ms": 5}"#).unwrap();
        assert_eq!(fault, Fault::slow(Duration::from_millis(5)));
    }
}
