//! What a fresh world is filled with: models in the registry, deployments in the clusters, and a
//! week of metrics. The same each time, but for three things that cannot be: signatures follow the
//! world's keys, scan reports and metrics the day on which the world is made.

mod architectures;
mod artifact;
mod deployments;
mod families;
mod language_models;
mod metrics;
mod other_models;
mod packages;
mod push;
mod scan;
mod services;
mod small_files;
mod tar;
mod trust;
mod weights;

#[cfg(test)]
mod tests;

pub(crate) use metrics::now as metrics_now;

use crate::addresses::WorldAddresses;
use crate::error::{Error, Result};
use crate::programs::{Progress, ProgressFn};
use artifact::Artifact;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// Repositories that are pushed to at once.
const AT_ONCE: usize = 6;

/// Fills a fresh world; called once, when everything runs.
///
/// # Errors
/// What a part refused.
pub async fn apply(world: &WorldAddresses, progress: ProgressFn<'_>) -> Result<()> {
    let begun = Instant::now();
    let report = |subject: &str, done| {
        progress(Progress {
            phase: "seed",
            subject: subject.to_owned(),
            step: None,
            elapsed: begun.elapsed(),
            done,
        });
    };
    let now = Timestamp::now();
    report("registry", false);
    let artifacts = tokio::task::spawn_blocking(artifacts)
        .await
        .map_err(Error::other)?;
    push_all(world, &artifacts, day_of(now)?).await?;
    report("registry", true);
    report("deployments", false);
    let shelf = Shelf::new(&world.registry.host, &artifacts);
    deployments::create(world, &shelf).await?;
    report("deployments", true);
    report("metrics", false);
    metrics::load(world, now).await?;
    report("metrics", true);
    Ok(())
}

/// Everything in the registry that is the same each time, in the order in which it is pushed.
fn artifacts() -> Vec<Artifact> {
    let mut all = language_models::all();
    all.extend(other_models::all());
    all.extend(packages::all());
    all
}

/// The beginning of a moment's day, in UTC.
fn day_of(now: Timestamp) -> Result<Timestamp> {
    let seconds = now.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(86_400)).map_err(Error::other)
}

/// Pushes artifacts with their signatures and reports. A tag that several versions carry moves
/// from one to the next.
async fn push_all(world: &WorldAddresses, artifacts: &[Artifact], day: Timestamp) -> Result<()> {
    let pusher = push::Pusher::new(&world.registry)?;
    let keys = trust::Keys::read(&world.cosign_keys)?;
    let host = &world.registry.host;
    let mut repositories: BTreeMap<&str, Vec<&Artifact>> = BTreeMap::new();
    for artifact in artifacts {
        let list = repositories.entry(&artifact.repository).or_default();
        list.push(artifact);
    }
    let (pusher, keys) = (&pusher, &keys);
    futures::stream::iter(repositories.into_values())
        .map(|list| async move {
            for artifact in list {
                pusher.push(artifact, &artifact.tags).await?;
                match keys.sign(artifact, host)? {
                    Some(trust::Attached::Referrer(bundle)) => {
                        pusher.push(&bundle, &[]).await?;
                    }
                    Some(trust::Attached::Tagged { tag, artifact }) => {
                        pusher.push(&artifact, &[&tag]).await?;
                    }
                    None => {}
                }
                if let Some(report) = scan::report(artifact, host, day) {
                    pusher.push(&report, &[]).await?;
                }
            }
            Ok::<_, Error>(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

/// Where models lie, for those who deploy them.
struct Shelf<'a> {
    host: &'a str,
    digests: BTreeMap<(&'a str, &'a str), String>,
}

impl<'a> Shelf<'a> {
    fn new(host: &'a str, artifacts: &'a [Artifact]) -> Self {
        let digests = artifacts
            .iter()
            .flat_map(|artifact| {
                let digest = artifact.digest();
                artifact
                    .tags
                    .iter()
                    .map(move |tag| ((artifact.repository.as_str(), *tag), digest.clone()))
            })
            .collect();
        Self { host, digests }
    }

    /// An image reference by digest.
    fn image(&self, repository: &str, tag: &str) -> String {
        let digest = self
            .digests
            .get(&(repository, tag))
            .expect("the seed deploys what it pushed");
        format!("{}/{repository}@{digest}", self.host)
    }

    /// A `storageUri` of a model image, as an image volume.
    fn model(&self, name: &str, tag: &str) -> String {
        format!(
            "oci+native://{}",
            self.image(&format!("models/{name}"), tag)
        )
    }
}
