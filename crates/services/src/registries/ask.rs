//! Asking for a sync: a person who wants to see something now, or a registry that tells of a push.

use super::{Registries, read_only};
use crate::{Caller, authz::Action, ports::*};
use domain::{Error, Result, ids::RegistryId};
use sha2::{Digest as _, Sha256};

impl Registries {
    /// Asks for a sync of everything; the background worker takes it at once.
    pub async fn sync_now(&self, caller: &Caller, id: RegistryId) -> Result<()> {
        let ctx = &self.0;
        let object = format!("registry:{id}");
        ctx.require_anywhere(caller, Action::SyncRegistry, &object)
            .await?;
        self.found(id).await?;
        ctx.store
            .audit_append(&[ctx.event(Some(caller), "registry.sync", object)])
            .await?;
        ctx.store.registry_want(id, &[], ctx.clock.now()).await
    }

    /// What a registry told us has been pushed or deleted: only a hint that makes a sync due and
    /// says where to look again, since anybody who holds the token could send it.
    pub async fn notified(&self, name: &str, repositories: &[String]) -> Result<()> {
        let ctx = &self.0;
        for row in ctx.store.registries().await? {
            if row.name == name {
                ctx.store
                    .registry_want(row.id, repositories, ctx.clock.now())
                    .await?;
            }
        }
        Ok(())
    }

    /// The name of the registry, added in the console, whose notifications carry this token.
    pub async fn of_token(&self, given: &str) -> Result<Option<String>> {
        // Hashes are compared, so that the time says nothing of how close a guess came.
        let given = Sha256::digest(given.as_bytes());
        let mut name = None;
        for row in self.0.store.registries().await? {
            let Some(sealed) = row.notification_secret.as_deref() else {
                continue;
            };
            match self.0.vault.open(&purpose(row.id), sealed) {
                Ok(token) if Sha256::digest(&token) == given => name = Some(row.name),
                Ok(_) => {}
                // One that was sealed with another key keeps none of the others out.
                Err(e) => {
                    tracing::warn!(registry = %row.name, error = %e.for_log(), "a notification token cannot be read");
                }
            }
        }
        Ok(name)
    }

    /// Makes a new token for a registry's notifications; one from before counts no more. It is
    /// answered this once and kept sealed.
    pub async fn renew_token(&self, caller: &Caller, id: RegistryId) -> Result<String> {
        let ctx = &self.0;
        let object = format!("registry:{id}");
        ctx.require_anywhere(caller, Action::ManageRegistries, &object)
            .await?;
        if self.found(id).await?.source == Source::File {
            return Err(read_only());
        }
        let mut bytes = [0u8; 32];
        ctx.entropy.fill(&mut bytes);
        let token = hex::encode(bytes);
        let sealed = ctx
            .vault
            .seal(&*ctx.entropy, &purpose(id), token.as_bytes())?;
        let record = ctx.event(Some(caller), "registry.token", object);
        if !ctx.store.registry_token(id, &sealed, &[record]).await? {
            return Err(Error::not_found("there is no such registry"));
        }
        Ok(token)
    }
}

fn purpose(id: RegistryId) -> String {
    format!("registry-notifications:{id}")
}
