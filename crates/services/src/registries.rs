//! Registries: which there are and what is to be taken from them.

mod ask;
mod rules;
mod sync;

pub use sync::Claim;

use crate::{Caller, Ctx, authz::Action, context::Recording, ports::*};
use domain::{Error, FieldError, Result, ids::*};
use rules::Rules;
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
    /// Certificates (PEM) to trust for this registry besides the system's.
    pub ca_pem: String,
}

impl RegistryInput {
    fn ca(&self) -> Option<String> {
        let pem = self.ca_pem.trim();
        (!pem.is_empty()).then(|| format!("{pem}\n"))
    }
}

/// What a person may do with registries, so that pages offer nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryRights {
    pub manage: bool,
    pub sync: bool,
}

const MAX_RULES: usize = 100;
/// The longest certificate bundle that is kept.
const MAX_CA: usize = 64 * 1024;

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
            ca_pem: input.ca(),
            notification_secret: None,
            version: old.as_ref().map_or(1, |(o, _)| o.version),
            status: SyncStatus {
                wanted_since: Some(ctx.clock.now()),
                ..Default::default()
            },
        };
        let action = if old.is_some() {
            "registry.change"
        } else {
            "registry.add"
        };
        let intent = ctx
            .event(Some(caller), action, object)
            .with(described(&row, !input.password.is_empty()))
            .into_intent();
        let ended = |outcome, reason| NewRecord {
            reason,
            ..intent.ended(
                RecordId(ctx.entropy.uuid()),
                ctx.clock.now(),
                outcome,
                intent.detail.clone(),
            )
        };
        let password = self.password(&row)?;
        // The credentials go out to that address: that is an effect, though nothing is stored yet.
        ctx.store
            .audit_append(std::slice::from_ref(&intent))
            .await?;
        let checked = ctx.registries.validate(&row, password.as_deref()).await;
        if let Err(e) = checked.and_then(|info| listed(&info, &row.rules)) {
            let message = match &e.remedy {
                Some(r) => format!("{} {r}", e.message),
                None => e.message.clone(),
            };
            let refused = ended(RecordOutcome::Failure, Some(message.clone()));
            ctx.store.audit_append(&[refused]).await?;
            // Beside the field that it is about; what is about none is about the address.
            let field = e.fields.first().map_or("url", |f| f.field.as_str());
            return Err(if field.starts_with("rules.") {
                e
            } else {
                Error::field(field, message)
            });
        }
        let stored = ended(RecordOutcome::Success, None);
        let put = ctx
            .store
            .registry_put(&row, old.map(|(_, v)| v), &[stored])
            .await;
        if let Err(e) = &put {
            let failed = ended(RecordOutcome::Failure, Some(e.message.clone()));
            ctx.store.audit_append(&[failed]).await?;
        }
        put
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
            // The same password keeps its sealed form: sealed again it would look like a change.
            let same = old.is_some_and(|o| matches!(self.password(o), Ok(p) if p == *password));
            let secret = match (old, password) {
                (Some(o), _) if same => o.secret.clone(),
                (_, Some(p)) => Some(ctx.vault.seal(
                    &*ctx.entropy,
                    &format!("registry:{id}"),
                    p.as_bytes(),
                )?),
                (_, None) => None,
            };
            let row = RegistryRow {
                id,
                name: input.name.clone(),
                url: input.url.trim_end_matches('/').to_owned(),
                username: (!input.username.is_empty()).then(|| input.username.clone()),
                secret,
                source: Source::File,
                rules: input.rules.clone(),
                sync_minutes: input.sync_minutes,
                ca_pem: input.ca(),
                notification_secret: None,
                version: old.map_or(1, |o| o.version),
                status: SyncStatus {
                    wanted_since: Some(ctx.clock.now()),
                    ..Default::default()
                },
            };
            let action = match old {
                None => "registry.add",
                Some(o) if differs(o, &row) => "registry.change",
                // At each start the file says the same again.
                Some(_) => continue,
            };
            let record = ctx
                .event(None, action, format!("registry:{id}"))
                .with(described(&row, !same && password.is_some()));
            ctx.store.registry_put(&row, None, &[record]).await?;
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

    fn password(&self, row: &RegistryRow) -> Result<Option<String>> {
        row.secret
            .as_deref()
            .map(|s| self.0.vault.open(&format!("registry:{}", row.id), s))
            .transpose()?
            .map(|b| String::from_utf8(b).map_err(Error::internal))
            .transpose()
    }
}

/// Where a registry lists no repositories, rules have to name them.
fn listed(info: &RegistryInfo, rules: &[SyncRule]) -> Result<()> {
    if info.catalog {
        return Ok(());
    }
    Rules::compile(rules)?.without_list()
}

/// What the audit log keeps of a registry's settings: never the password.
fn described(row: &RegistryRow, password_changed: bool) -> serde_json::Value {
    serde_json::json!({
        "name": row.name, "url": row.url, "username": row.username, "rules": row.rules, "sync_minutes": row.sync_minutes,
        "source": row.source, "certificates": row.ca_pem.is_some(), "password_changed": password_changed,
    })
}

/// Are these other settings than the stored ones?
fn differs(stored: &RegistryRow, row: &RegistryRow) -> bool {
    stored.url != row.url
        || stored.username != row.username
        || stored.secret != row.secret
        || stored.source != row.source
        || stored.rules != row.rules
        || stored.sync_minutes != row.sync_minutes
        || stored.ca_pem != row.ca_pem
}

fn read_only() -> Error {
    Error::forbidden("this registry comes from the configuration file and is read-only here")
        .remedy("Change it in the file and restart the console.")
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
    let ca = input.ca_pem.trim();
    if ca.len() > MAX_CA || (!ca.is_empty() && !ca.contains("-----BEGIN CERTIFICATE-----")) {
        bad(
            "ca_pem",
            "Certificates are PEM, with their BEGIN CERTIFICATE and END CERTIFICATE lines, 64 KiB at most."
                .into(),
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

    #[test]
    fn what_cannot_be_used_is_named() {
        let e = check(&RegistryInput {
            name: "A b".into(),
            url: "ftp://x".into(),
            sync_minutes: 0,
            rules: vec![SyncRule {
                repository: "UPPER".into(),
                tag: None,
                enabled: true,
            }],
            ca_pem: "no certificate".into(),
            ..Default::default()
        })
        .expect_err("bad");
        let fields: Vec<_> = e.fields.iter().map(|f| f.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "name",
                "url",
                "sync_minutes",
                "ca_pem",
                "rules.0.repository"
            ]
        );
    }
}
