//! Registries: which there are, what is taken from them, and how the taking goes.

use crate::{Caller, Ctx, authz::Action, context::Recording, ports::*};
use domain::{Error, FieldError, Micros, Result, ids::*};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
pub struct Registries(pub(crate) Ctx);

/// What a person typed to add or change a registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegistryInput {
    pub name: String,
    pub url: String,
    pub username: String,
    /// Empty keeps the stored one.
    pub password: String,
    pub sync_minutes: i32,
    pub rules: Vec<SyncRule>,
}

/// What a person may do with registries, so that pages offer nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryRights {
    pub manage: bool,
    pub sync: bool,
}

/// The most that one sync takes from one registry.
const MAX_REPOSITORIES: usize = 10_000;
const MAX_TAGS: usize = 2_000;
const MAX_RULES: usize = 100;
/// A digest that was inspected so recently is not inspected again.
const FRESH: i64 = Micros::HOUR;
/// How long one worker may hold a registry's sync between two signs of life.
const LEASE: i64 = 2 * Micros::MINUTE;

impl Registries {
    /// What the caller may do here; each call checks it again.
    pub fn rights(&self, caller: &Caller) -> RegistryRights {
        RegistryRights {
            manage: self.0.policy.may_anywhere(caller, Action::ManageRegistries),
            sync: self.0.policy.may_anywhere(caller, Action::SyncRegistry),
        }
    }

    pub async fn list(&self, caller: &Caller) -> Result<Vec<RegistryRow>> {
        self.0
            .require_anywhere(caller, Action::ViewRegistries, "registries")
            .await?;
        self.0.store.registries().await
    }

    pub async fn get(&self, caller: &Caller, id: RegistryId) -> Result<RegistryRow> {
        self.0
            .require_anywhere(caller, Action::ViewRegistries, "registries")
            .await?;
        self.found(id).await
    }

    /// Another text whenever a registry looks different: changed, or further in its sync.
    pub async fn mark(&self, caller: &Caller) -> Result<String> {
        let rows = self.list(caller).await?;
        let shown: Vec<_> = rows.iter().map(|r| (r.id, r.version, &r.status)).collect();
        Ok(Digest::of(&domain::content::canonical(&shown))
            .short()
            .to_owned())
    }

    async fn found(&self, id: RegistryId) -> Result<RegistryRow> {
        self.0
            .store
            .registry(id)
            .await?
            .ok_or_else(|| Error::not_found("there is no such registry"))
    }

    /// Adds one: checked against the registry itself before it is stored.
    pub async fn add(&self, caller: &Caller, input: &RegistryInput) -> Result<RegistryId> {
        let id = RegistryId(self.0.entropy.uuid());
        self.put(caller, id, None, input).await?;
        Ok(id)
    }

    /// Changes one that was added in the console.
    pub async fn change(
        &self,
        caller: &Caller,
        id: RegistryId,
        expected_version: i64,
        input: &RegistryInput,
    ) -> Result<()> {
        let old = self.found(id).await?;
        self.put(caller, id, Some((old, expected_version)), input)
            .await
    }

    async fn put(
        &self,
        caller: &Caller,
        id: RegistryId,
        old: Option<(RegistryRow, i64)>,
        input: &RegistryInput,
    ) -> Result<()> {
        let ctx = &self.0;
        let object = format!("registry:{id}");
        ctx.require_anywhere(caller, Action::ManageRegistries, &object)
            .await?;
        if old.as_ref().is_some_and(|(o, _)| o.source == Source::File) {
            return Err(read_only());
        }
        check(input)?;
        let others = ctx.store.registries().await?;
        if others.iter().any(|r| r.name == input.name && r.id != id) {
            return Err(Error::field(
                "name",
                format!(
                    "A registry named “{}” exists already; choose another name.",
                    input.name
                ),
            ));
        }
        let purpose = format!("registry:{id}");
        let same_host = old.as_ref().is_some_and(|(o, _)| {
            o.url == input.url && o.username.as_deref().unwrap_or_default() == input.username
        });
        let secret = match (&old, input.password.is_empty()) {
            (_, false) => Some(ctx.vault.seal(
                &*ctx.entropy,
                &purpose,
                input.password.as_bytes(),
            )?),
            // A stored secret is never sent to another address: the new one needs it entered again.
            (Some((o, _)), true) if same_host => o.secret.clone(),
            (Some((o, _)), true) if o.secret.is_some() => {
                return Err(Error::field(
                    "password",
                    "The address or the user changed: enter the password again, the stored one is not sent to a new address.",
                ));
            }
            _ => None,
        };
        let row = RegistryRow {
            id,
            name: input.name.trim().to_owned(),
            url: input.url.trim().trim_end_matches('/').to_owned(),
            username: (!input.username.is_empty()).then(|| input.username.clone()),
            secret,
            source: Source::Console,
            rules: input.rules.clone(),
            sync_minutes: input.sync_minutes,
            version: old.as_ref().map_or(1, |(o, _)| o.version),
            status: SyncStatus {
                wanted_since: Some(ctx.clock.now()),
                ..Default::default()
            },
        };
        let password = self.password(&row)?;
        ctx.registries
            .validate(&row, password.as_deref())
            .await
            .map_err(|e| {
                let message = match &e.remedy {
                    Some(r) => format!("{} {r}", e.message),
                    None => e.message.clone(),
                };
                Error::field("url", message)
            })?;
        let action = if old.is_some() {
            "registry.change"
        } else {
            "registry.add"
        };
        let record = ctx.event(Some(caller), action, object).with(serde_json::json!({
            "name": row.name, "url": row.url, "username": row.username, "rules": row.rules, "sync_minutes": row.sync_minutes,
            "password_changed": !input.password.is_empty(),
        }));
        ctx.store
            .registry_put(&row, old.map(|(_, v)| v), &[record])
            .await
    }

    pub async fn remove(&self, caller: &Caller, id: RegistryId) -> Result<()> {
        let object = format!("registry:{id}");
        self.0
            .require_anywhere(caller, Action::ManageRegistries, &object)
            .await?;
        let row = self.found(id).await?;
        if row.source == Source::File {
            return Err(read_only());
        }
        let record = self
            .0
            .event(Some(caller), "registry.remove", object)
            .with(serde_json::json!({ "name": row.name, "url": row.url }));
        self.0.store.registry_delete(id, &[record]).await
    }

    /// Asks for a sync; the background worker takes it at once.
    pub async fn sync_now(&self, caller: &Caller, id: RegistryId) -> Result<()> {
        let object = format!("registry:{id}");
        self.0
            .require_anywhere(caller, Action::SyncRegistry, &object)
            .await?;
        let mut row = self.found(id).await?;
        self.0
            .store
            .audit_append(&[self.0.event(Some(caller), "registry.sync", object)])
            .await?;
        row.status.wanted_since.get_or_insert(self.0.clock.now());
        self.0.store.registry_status(id, &row.status).await
    }

    /// Brings the rows that the configuration file names into the store, and removes those it no longer names.
    pub async fn from_file(&self, rows: &[(RegistryInput, Option<String>)]) -> Result<()> {
        let ctx = &self.0;
        let stored = ctx.store.registries().await?;
        for (input, password) in rows {
            check(input)?;
            let old = stored.iter().find(|r| r.name == input.name);
            if old.is_some_and(|o| o.source == Source::Console) {
                return Err(Error::invalid(format!(
                    "registries: “{}” was added in the console already",
                    input.name
                ))
                .remedy("Remove it there, or give the one in the file another name."));
            }
            let id = old.map_or_else(|| RegistryId(ctx.entropy.uuid()), |o| o.id);
            let secret = password
                .as_deref()
                .map(|p| {
                    ctx.vault
                        .seal(&*ctx.entropy, &format!("registry:{id}"), p.as_bytes())
                })
                .transpose()?;
            let row = RegistryRow {
                id,
                name: input.name.clone(),
                url: input.url.trim_end_matches('/').to_owned(),
                username: (!input.username.is_empty()).then(|| input.username.clone()),
                secret,
                source: Source::File,
                rules: input.rules.clone(),
                sync_minutes: input.sync_minutes,
                version: old.map_or(1, |o| o.version),
                status: old.map_or_else(
                    || SyncStatus {
                        wanted_since: Some(ctx.clock.now()),
                        ..Default::default()
                    },
                    |o| o.status.clone(),
                ),
            };
            ctx.store.registry_put(&row, None, &[]).await?;
        }
        for gone in stored
            .iter()
            .filter(|r| r.source == Source::File && !rows.iter().any(|(i, _)| i.name == r.name))
        {
            let record = ctx
                .event(None, "registry.remove", format!("registry:{}", gone.id))
                .with(serde_json::json!({ "name": gone.name }));
            ctx.store.registry_delete(gone.id, &[record]).await?;
        }
        Ok(())
    }

    /// What a registry told us has been pushed or deleted: only a hint that makes a sync due, since
    /// anybody who holds the token could send it.
    pub async fn notified(&self, name: &str) -> Result<()> {
        let now = self.0.clock.now();
        for mut row in self
            .0
            .store
            .registries()
            .await?
            .into_iter()
            .filter(|r| r.name == name)
        {
            row.status.wanted_since.get_or_insert(now);
            self.0.store.registry_status(row.id, &row.status).await?;
        }
        Ok(())
    }

    fn password(&self, row: &RegistryRow) -> Result<Option<String>> {
        row.secret
            .as_deref()
            .map(|s| self.0.vault.open(&format!("registry:{}", row.id), s))
            .transpose()?
            .map(|b| String::from_utf8(b).map_err(Error::internal))
            .transpose()
    }

    /// Syncs each registry that is due and free. Answers how many were synced. A failure is kept on the
    /// registry's row, and what the catalogue knows stays as it is.
    pub async fn sync_due(&self, worker: &str) -> Result<usize> {
        let now = self.0.clock.now();
        let mut synced = 0;
        for row in self.0.store.registries().await? {
            let s = &row.status;
            let last = s.last_success.max(s.last_error_at);
            let due = s.wanted_since.is_some()
                || last
                    .is_none_or(|l| now.since(l) >= i64::from(row.sync_minutes) * Micros::MINUTE);
            if due
                && self
                    .0
                    .store
                    .registry_sync_lease(row.id, worker, now, now.plus(LEASE))
                    .await?
            {
                self.sync(row, worker).await?;
                synced += 1;
            }
        }
        Ok(synced)
    }

    async fn sync(&self, row: RegistryRow, worker: &str) -> Result<()> {
        let ctx = &self.0;
        let started = ctx.clock.now();
        let mut status = SyncStatus {
            running_since: Some(started),
            done: 0,
            total: None,
            wanted_since: None,
            ..row.status.clone()
        };
        ctx.store.registry_status(row.id, &status).await?;
        let result = self.sync_all(&row, worker, &mut status).await;
        let now = ctx.clock.now();
        // Somebody may have asked again meanwhile.
        if let Some(current) = ctx.store.registry(row.id).await? {
            status.wanted_since = current.status.wanted_since;
        }
        status.running_since = None;
        match result {
            Ok(()) => {
                status.last_success = Some(now);
                status.last_error = None;
                status.last_error_at = None;
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
        ctx.store.registry_status(row.id, &status).await
    }

    async fn sync_all(
        &self,
        row: &RegistryRow,
        worker: &str,
        status: &mut SyncStatus,
    ) -> Result<()> {
        let ctx = &self.0;
        let password = self.password(row)?;
        let rules = Rules::compile(&row.rules)?;
        let mut repositories = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let (names, next) = ctx
                .registries
                .repositories(row, password.as_deref(), after.as_deref())
                .await?;
            repositories.extend(names.into_iter().filter(|n| rules.wants(n)));
            if repositories.len() > MAX_REPOSITORIES {
                return Err(Error::invalid(format!(
                    "more than {MAX_REPOSITORIES} repositories match the rules"
                ))
                .remedy("Narrow the repository patterns."));
            }
            match next {
                Some(n) => after = Some(n),
                None => break,
            }
        }
        status.total = i32::try_from(repositories.len()).ok();
        let mut failures: Vec<String> = Vec::new();
        for repository in &repositories {
            let now = ctx.clock.now();
            if !ctx
                .store
                .registry_sync_lease(row.id, worker, now, now.plus(LEASE))
                .await?
            {
                return Err(Error::conflict("another worker has taken over this sync"));
            }
            if let Err(e) = self
                .sync_repository(row, password.as_deref(), &rules, repository)
                .await
            {
                tracing::warn!(registry = %row.name, %repository, error = %e.for_log(), "repository not synced");
                failures.push(format!("{repository}: {}", e.message));
            }
            status.done += 1;
            ctx.store.registry_status(row.id, status).await?;
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
        let now = ctx.clock.now();
        let known = ctx
            .store
            .version_known(row.id, repository, now.plus(-FRESH))
            .await?;
        let mut present: Vec<(String, Digest)> = Vec::new();
        for tag in tags {
            present.push((
                tag.clone(),
                ctx.registries
                    .resolve(row, password, repository, &tag)
                    .await?,
            ));
        }
        let mut digests: Vec<&Digest> = present.iter().map(|(_, d)| d).collect();
        digests.sort();
        digests.dedup();
        for digest in digests {
            let tags: Vec<String> = present
                .iter()
                .filter(|(_, d)| d == digest)
                .map(|(t, _)| t.clone())
                .collect();
            let fresh = known.contains(digest)
                && ctx
                    .store
                    .versions_by_digest(digest)
                    .await?
                    .iter()
                    .any(|(m, v)| {
                        m.registry == row.id
                            && m.repository == repository
                            && tags.iter().all(|t| {
                                v.tags.iter().any(|x| x.name == *t && x.moved_at.is_none())
                            })
                    });
            if !fresh {
                let mut found = ctx
                    .registries
                    .inspect(row, password, repository, digest, ctx.clock.now())
                    .await?;
                found.tags = tags;
                ctx.store
                    .version_put(
                        &found,
                        ModelId(ctx.entropy.uuid()),
                        VersionId(ctx.entropy.uuid()),
                    )
                    .await?;
            }
        }
        ctx.store
            .version_mark_gone(row.id, repository, &present, ctx.clock.now())
            .await?;
        Ok(())
    }
}

fn read_only() -> Error {
    Error::forbidden("this registry comes from the configuration file and is read-only here")
        .remedy("Change it in the file and restart the console.")
}

/// Compiled rules.
struct Rules(Vec<(regex::Regex, Option<TagRule>)>);

enum TagRule {
    Exact(String),
    Prefix(String),
    Regex(regex::Regex),
}

impl Rules {
    fn compile(rules: &[SyncRule]) -> Result<Self> {
        let mut out = Vec::new();
        for (i, rule) in rules.iter().enumerate() {
            let repository = pattern(&rule.repository).ok_or_else(|| {
                Error::field(format!("rules.{i}.repository"), "A repository pattern has lower-case letters, digits, `.`, `_`, `-`, `/`, `*` (one segment) and `**` (any depth).")
            })?;
            let tag = match &rule.tag {
                None => None,
                Some(TagFilter::Exact(t)) => Some(TagRule::Exact(t.clone())),
                Some(TagFilter::Prefix(t)) => Some(TagRule::Prefix(t.clone())),
                Some(TagFilter::Regex(t)) => Some(TagRule::Regex(
                    regex::RegexBuilder::new(&format!("^(?:{t})$")).size_limit(1 << 20).build().map_err(|_| {
                        Error::field(format!("rules.{i}.tag"), format!("“{t}” is not a regular expression that can be used; an example is `release-.*`."))
                    })?,
                )),
            };
            if rule.enabled {
                out.push((repository, tag));
            }
        }
        Ok(Self(out))
    }
    fn wants(&self, repository: &str) -> bool {
        self.0.iter().any(|(r, _)| r.is_match(repository))
    }
    fn wants_tag(&self, repository: &str, tag: &str) -> bool {
        // A signature's or attestation's tag (`sha256-<hex>[.sig]`) is not a version.
        if tag.len() >= 71 && tag.starts_with("sha256-") {
            return false;
        }
        self.0
            .iter()
            .filter(|(r, _)| r.is_match(repository))
            .any(|(_, t)| match t {
                None => true,
                Some(TagRule::Exact(e)) => e == tag,
                Some(TagRule::Prefix(p)) => tag.starts_with(p.as_str()),
                Some(TagRule::Regex(r)) => r.is_match(tag),
            })
    }
}

fn pattern(text: &str) -> Option<regex::Regex> {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(ok) {
        return None;
    }
    let source = regex::escape(text)
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*");
    regex::Regex::new(&format!("^{source}$")).ok()
}

fn check(input: &RegistryInput) -> Result<()> {
    let mut fields = Vec::new();
    let mut bad = |field: &str, message: String| {
        fields.push(FieldError {
            field: field.into(),
            message,
        })
    };
    let name = input.name.trim();
    if name.is_empty()
        || name.len() > 63
        || !name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    {
        bad(
            "name",
            "A name has 1 to 63 lower-case letters, digits and hyphens.".into(),
        );
    }
    match url::Url::parse(input.url.trim()) {
        Ok(u)
            if matches!(u.scheme(), "http" | "https")
                && u.host().is_some()
                && u.path() == "/"
                && u.query().is_none()
                && u.username().is_empty()
                && u.password().is_none() => {}
        _ => bad(
            "url",
            "The address is `https://host` or `https://host:port`, without path, user or query."
                .into(),
        ),
    }
    if !(1..=10_080).contains(&input.sync_minutes) {
        bad(
            "sync_minutes",
            "The interval is 1 to 10080 minutes (a week).".into(),
        );
    }
    if input.rules.len() > MAX_RULES {
        bad("rules", format!("There can be at most {MAX_RULES} rules."));
    }
    if input.username.len() > 255 || input.password.len() > 8192 {
        bad(
            "password",
            "User and password are too long for any registry.".into(),
        );
    }
    if let Err(e) = Rules::compile(&input.rules) {
        fields.extend(e.fields);
    }
    if fields.is_empty() {
        return Ok(());
    }
    let mut e = Error::invalid("the registry cannot be stored like this");
    e.fields = fields;
    Err(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(repository: &str, tag: Option<TagFilter>) -> SyncRule {
        SyncRule {
            repository: repository.into(),
            tag,
            enabled: true,
        }
    }

    #[test]
    fn one_star_is_one_segment_and_two_are_any_depth() {
        let r = Rules::compile(&[rule("models/*", None)]).expect("compiles");
        assert!(
            r.wants("models/llama") && !r.wants("models/meta/llama") && !r.wants("other/models/x")
        );
        assert!(
            Rules::compile(&[rule("models/**", None)])
                .expect("compiles")
                .wants("models/meta/llama")
        );
    }

    #[test]
    fn tags_by_exact_prefix_and_anchored_regex() {
        let t = |f| Rules::compile(&[rule("a", Some(f))]).expect("compiles");
        assert!(t(TagFilter::Regex("release-.*".into())).wants_tag("a", "release-1"));
        assert!(!t(TagFilter::Regex("release-.*".into())).wants_tag("a", "pre-release-1"));
        assert!(
            t(TagFilter::Prefix("v".into())).wants_tag("a", "v1")
                && t(TagFilter::Exact("v1".into())).wants_tag("a", "v1")
        );
        let sig = format!("sha256-{}.sig", "0".repeat(64));
        assert!(
            !Rules::compile(&[rule("a", None)])
                .expect("compiles")
                .wants_tag("a", &sig)
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let e = check(&RegistryInput {
            name: "A b".into(),
            url: "ftp://x".into(),
            sync_minutes: 0,
            rules: vec![rule("UPPER", None)],
            ..Default::default()
        })
        .expect_err("bad");
        let fields: Vec<_> = e.fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(
            fields,
            ["name", "url", "sync_minutes", "rules.0.repository"]
        );
    }
}
