//! Taking what a registry has into the catalogue: one registry at a time under a lease, so that
//! several run beside each other and a slow one keeps nobody waiting.

use super::{Registries, rules::Rules};
use crate::ports::*;
use domain::{
    Error, Kind, Micros, Result,
    artifact::{ArtifactKind, ModelFacts, SignatureFact},
    ids::*,
};
use std::collections::BTreeSet;

/// The most that one sync takes from one registry.
const MAX_REPOSITORIES: usize = 10_000;
const MAX_TAGS: usize = 2_000;
/// Pages of the list of repositories; more is no list.
const MAX_PAGES: usize = 1_000;
/// A digest that was inspected so recently is not inspected again, unless somebody asked for it.
const FRESH: i64 = Micros::HOUR;
/// How long a sync may hold its registry between two signs of life: longer than any single call of
/// the registry's client takes.
const LEASE: i64 = 4 * Micros::MINUTE;
/// Repositories in a row for which nothing answered: after so many the registry itself is away.
const AWAY: usize = 3;

/// A registry whose sync is due and was taken.
pub struct Claim {
    row: RegistryRow,
    hold: Hold,
}

impl Claim {
    /// The registry's name, for logs.
    pub fn name(&self) -> &str {
        &self.row.name
    }
}

/// The lease on one registry. Each sync has an owner's name of its own: two of the same process
/// exclude each other too.
struct Hold {
    owner: String,
    renewed: Micros,
}

impl Registries {
    /// Takes each registry that is due and free.
    pub async fn claim_due(&self, worker: &str) -> Result<Vec<Claim>> {
        let ctx = &self.0;
        let now = ctx.clock.now();
        let mut claims = Vec::new();
        for row in ctx.store.registries().await? {
            let s = &row.status;
            let last = s.last_success.max(s.last_error_at);
            let due = s.wanted_since.is_some()
                || last
                    .is_none_or(|l| now.since(l) >= i64::from(row.sync_minutes) * Micros::MINUTE);
            if !due {
                continue;
            }
            let owner = format!("{worker}/{}", ctx.entropy.uuid());
            if ctx
                .store
                .registry_sync_lease(row.id, &owner, now, now.plus(LEASE))
                .await?
            {
                let hold = Hold {
                    owner,
                    renewed: now,
                };
                claims.push(Claim { row, hold });
            }
        }
        Ok(claims)
    }

    /// Gives back what was taken and is not done, when the worker ends: whoever comes next need not
    /// wait until its leases run out.
    pub async fn release(&self, worker: &str) -> Result<()> {
        self.0.store.registry_release(worker).await
    }

    /// Syncs what was taken. A failure of the registry is kept on its row, and what the catalogue
    /// knows stays as it is.
    pub async fn sync(&self, claim: Claim) -> Result<()> {
        let ctx = &self.0;
        let Claim { row, mut hold } = claim;
        let started = ctx.clock.now();
        // Whoever asks from now on asks for the next sync.
        let Some(wanted) = ctx
            .store
            .registry_sync_start(row.id, &hold.owner, started)
            .await?
        else {
            return Ok(());
        };
        let mut status = SyncStatus {
            running_since: Some(started),
            done: 0,
            total: None,
            ..row.status.clone()
        };
        let result = self.sync_all(&row, &mut hold, &wanted, &mut status).await;
        let now = ctx.clock.now();
        status.running_since = None;
        match result {
            Ok(()) => {
                status.last_success = Some(now);
                status.last_error = None;
                status.last_error_at = None;
                ctx.store.registry_wanted_done(row.id, started).await?;
            }
            Err(e) => {
                tracing::warn!(registry = %row.name, error = %e.for_log(), "sync failed");
                status.last_error = Some(match e.remedy {
                    Some(r) => format!("{} {r}", e.message),
                    None => e.message,
                });
                status.last_error_at = Some(now);
            }
        }
        if !ctx
            .store
            .registry_status(row.id, &hold.owner, &status)
            .await?
        {
            tracing::warn!(registry = %row.name, "another worker has taken over this sync");
        }
        Ok(())
    }

    /// A sign of life; an error when another worker has taken over.
    async fn keep(&self, id: RegistryId, hold: &mut Hold) -> Result<()> {
        let now = self.0.clock.now();
        if now.since(hold.renewed) < LEASE / 8 {
            return Ok(());
        }
        if !self
            .0
            .store
            .registry_sync_lease(id, &hold.owner, now, now.plus(LEASE))
            .await?
        {
            return Err(Error::conflict("another worker has taken over this sync"));
        }
        hold.renewed = now;
        Ok(())
    }

    /// The repositories that the rules name, and those that match their patterns, from a list that
    /// was read to its end. Without patterns no list is asked for: many registries have none.
    async fn listed(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        rules: &Rules,
        hold: &mut Hold,
    ) -> Result<BTreeSet<String>> {
        let mut repositories = rules.named().clone();
        if !rules.has_patterns() {
            return Ok(repositories);
        }
        let mut after: Option<String> = None;
        let mut seen = BTreeSet::new();
        for _ in 0..MAX_PAGES {
            self.keep(row.id, hold).await?;
            let (names, next) = self
                .0
                .registries
                .repositories(row, password, after.as_deref())
                .await
                .map_err(unlisted)?;
            repositories.extend(names.into_iter().filter(|n| rules.wants(n)));
            if repositories.len() > MAX_REPOSITORIES {
                return Err(Error::invalid(format!(
                    "more than {MAX_REPOSITORIES} repositories match the rules"
                ))
                .remedy("Narrow the repository patterns."));
            }
            match next {
                None => return Ok(repositories),
                Some(n) if !seen.insert(n.clone()) => {
                    return Err(Error::invalid(
                        "the registry's list of repositories goes in a circle",
                    )
                    .remedy(
                        "Tell its operator: a page of /v2/_catalog leads back to an earlier one.",
                    ));
                }
                Some(n) => after = Some(n),
            }
        }
        Err(Error::invalid(format!(
            "the registry's list of repositories has more than {MAX_PAGES} pages"
        ))
        .remedy("Tell its operator, or use an account that sees only what is to be taken."))
    }

    async fn sync_all(
        &self,
        row: &RegistryRow,
        hold: &mut Hold,
        wanted: &Wanted,
        status: &mut SyncStatus,
    ) -> Result<()> {
        let ctx = &self.0;
        let password = self.password(row)?;
        let rules = Rules::compile(&row.rules)?;
        let repositories = self.listed(row, password.as_deref(), &rules, hold).await?;
        status.total = i32::try_from(repositories.len()).ok();
        let mut failures: Vec<String> = Vec::new();
        let mut away = 0;
        for repository in &repositories {
            self.keep(row.id, hold).await?;
            match self
                .sync_repository(row, password.as_deref(), &rules, repository, wanted, hold)
                .await
            {
                Ok(()) => away = 0,
                Err(e) if e.kind == Kind::Conflict => return Err(e),
                Err(e) => {
                    if e.kind == Kind::NotFound {
                        // A rule names it, and the registry has it no more.
                        ctx.store
                            .version_mark_gone(row.id, repository, &[], ctx.clock.now())
                            .await?;
                    }
                    tracing::warn!(registry = %row.name, %repository, error = %e.for_log(), "repository not synced");
                    away = if e.kind == Kind::Unavailable {
                        away + 1
                    } else {
                        0
                    };
                    failures.push(format!("{repository}: {}", e.message));
                }
            }
            if away == AWAY {
                // The others would each run into the same.
                return Err(Error::unavailable(format!(
                    "the registry stopped answering after {} of {} repositories: {}",
                    usize::try_from(status.done + 1).unwrap_or_default() - AWAY,
                    repositories.len(),
                    failures.pop().unwrap_or_default()
                )));
            }
            status.done += 1;
            if !ctx
                .store
                .registry_status(row.id, &hold.owner, status)
                .await?
            {
                return Err(Error::conflict("another worker has taken over this sync"));
            }
        }
        // The list was complete: what it lacks is gone, or no rule names it any more.
        for gone in ctx.store.version_repositories(row.id).await? {
            if !repositories.contains(&gone) {
                self.keep(row.id, hold).await?;
                ctx.store
                    .version_mark_gone(row.id, &gone, &[], ctx.clock.now())
                    .await?;
            }
        }
        match failures.len() {
            0 => Ok(()),
            n => {
                failures.truncate(3);
                Err(Error::unavailable(format!(
                    "{n} of {} repositories could not be read: {}",
                    repositories.len(),
                    failures.join("; ")
                )))
            }
        }
    }

    async fn sync_repository(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        rules: &Rules,
        repository: &str,
        wanted: &Wanted,
        hold: &mut Hold,
    ) -> Result<()> {
        let ctx = &self.0;
        let tags: Vec<String> = ctx
            .registries
            .tags(row, password, repository)
            .await?
            .into_iter()
            .filter(|t| rules.wants_tag(repository, t))
            .collect();
        if tags.len() > MAX_TAGS {
            return Err(
                Error::invalid(format!("more than {MAX_TAGS} tags match the rules"))
                    .remedy("Narrow the tag filter."),
            );
        }
        // A signature or a report may be attached without any tag moving: who asks for a sync, or
        // the registry that tells of a push, wants to see it now.
        let known = if wanted.has(repository) {
            Vec::new()
        } else {
            ctx.store
                .version_known(row.id, repository, ctx.clock.now().plus(-FRESH))
                .await?
        };
        let mut present: Vec<(String, Digest)> = Vec::new();
        for tag in tags {
            self.keep(row.id, hold).await?;
            match ctx
                .registries
                .resolve(row, password, repository, &tag)
                .await
            {
                Ok(digest) => present.push((tag, digest)),
                // Deleted since the tags were listed.
                Err(e) if e.kind == Kind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let digests: BTreeSet<Digest> = present.iter().map(|(_, d)| d.clone()).collect();
        for digest in &digests {
            let tags: Vec<String> = present
                .iter()
                .filter(|(_, d)| d == digest)
                .map(|(t, _)| t.clone())
                .collect();
            let fresh = known
                .iter()
                .any(|k| k.digest == *digest && tags.iter().all(|t| k.tags.contains(t)));
            if fresh {
                continue;
            }
            self.keep(row.id, hold).await?;
            let now = ctx.clock.now();
            let inspected = ctx
                .registries
                .inspect(row, password, repository, digest, now)
                .await;
            let mut found = match inspected {
                Ok(found) => found,
                Err(e) if e.kind == Kind::NotFound => {
                    present.retain(|(_, d)| d != digest);
                    continue;
                }
                // What is wrong with this one thing hides none of the others.
                Err(e) if e.kind == Kind::Invalid => unreadable(row.id, repository, digest, e, now),
                Err(e) => return Err(e),
            };
            found.tags = tags;
            ctx.store
                .version_put(
                    &found,
                    ModelId(ctx.entropy.uuid()),
                    VersionId(ctx.entropy.uuid()),
                )
                .await?;
        }
        ctx.store
            .version_mark_gone(row.id, repository, &present, ctx.clock.now())
            .await?;
        Ok(())
    }
}

/// A version of which nothing can be known but that it is there, and why.
fn unreadable(
    registry: RegistryId,
    repository: &str,
    digest: &Digest,
    why: Error,
    now: Micros,
) -> FoundVersion {
    tracing::warn!(%repository, %digest, error = %why.for_log(), "version not read");
    let note = match why.remedy {
        Some(remedy) => format!("{} {remedy}", why.message),
        None => why.message,
    };
    FoundVersion {
        registry,
        repository: repository.to_owned(),
        digest: digest.clone(),
        tags: Vec::new(),
        kind: ArtifactKind::Unknown,
        facts: ModelFacts {
            notes: vec![note],
            ..ModelFacts::default()
        },
        card: None,
        created_at: None,
        platforms: Vec::new(),
        signature: SignatureFact::default(),
        scan: None,
        pickle: None,
        observed_at: now,
    }
}

/// Says how to do without the list of repositories, where the registry does not give it.
fn unlisted(e: Error) -> Error {
    if !matches!(e.kind, Kind::NotFound | Kind::Forbidden) {
        return e;
    }
    let remedy = e.remedy.clone().unwrap_or_default();
    e.remedy(format!(
        "{remedy} Rules that name whole repositories, without `*`, need no list (/v2/_catalog)."
    ))
}
