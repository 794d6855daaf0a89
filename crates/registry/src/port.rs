//! The services' port over the client: one client for each registry, kept while its settings stay.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use domain::{
    Micros,
    artifact::TrustedKey,
    ids::{Digest, RegistryId},
};
use services::ports::{FoundVersion, Registries, RegistryInfo, RegistryRow};

use crate::{
    address::AddressPolicy,
    client::Client,
    config::{Limits, RegistryConfig, Secret},
    error::Result,
    http::Transport,
};

/// The registries outside.
pub struct OciRegistries {
    policy: AddressPolicy,
    transport: Transport,
    trusted: Vec<TrustedKey>,
    limits: Limits,
    clients: Mutex<HashMap<RegistryId, (Settings, Arc<Client>)>>,
}

/// What a client was made from.
#[derive(PartialEq)]
struct Settings {
    url: String,
    username: Option<String>,
    password: Option<Secret>,
    ca_pem: Option<String>,
}

impl Settings {
    fn of(row: &RegistryRow, password: Option<&str>) -> Self {
        Self {
            url: row.url.clone(),
            username: row.username.clone(),
            password: password.map(Secret::new),
            ca_pem: row.ca_pem.clone(),
        }
    }
}

impl OciRegistries {
    /// Registries that are called under this policy, whose signatures are checked against these
    /// keys. Certificates beside the machine's come with each registry, and count for it alone.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(policy: AddressPolicy, trusted: Vec<TrustedKey>, limits: Limits) -> Result<Self> {
        Ok(Self {
            policy,
            transport: Transport::new(policy, &[])?,
            trusted,
            limits,
            clients: Mutex::default(),
        })
    }

    /// The client of a registry: the one that we have (and the tokens that it holds) while nothing
    /// changed, otherwise a new one.
    fn client(&self, row: &RegistryRow, password: Option<&str>) -> Result<Arc<Client>> {
        let settings = Settings::of(row, password);
        let mut clients = self
            .clients
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((known, client)) = clients.get(&row.id)
            && *known == settings
        {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(self.new_client(&settings)?);
        clients.insert(row.id, (settings, Arc::clone(&client)));
        Ok(client)
    }

    fn new_client(&self, settings: &Settings) -> Result<Client> {
        let config = self.config(settings);
        match &settings.ca_pem {
            None => Client::new(&self.transport, config),
            Some(pem) => Client::new(
                &Transport::new(self.policy, &[pem.clone().into_bytes()])?,
                config,
            ),
        }
    }

    fn config(&self, settings: &Settings) -> RegistryConfig {
        RegistryConfig {
            url: settings.url.clone(),
            username: settings.username.clone(),
            password: settings.password.clone(),
            limits: self.limits.clone(),
        }
    }
}

#[async_trait]
impl Registries for OciRegistries {
    async fn validate(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
    ) -> domain::Result<RegistryInfo> {
        // A client of its own: what is being tried must not replace what works.
        let settings = Settings::of(row, password);
        let validated = async { self.new_client(&settings)?.validate().await }
            .await
            .map_err(|e| e.into_domain(true))?;
        Ok(RegistryInfo {
            product: validated.product,
            catalog: validated.catalog,
            repositories_seen: validated.repositories,
        })
    }

    async fn repositories(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        after: Option<&str>,
    ) -> domain::Result<(Vec<String>, Option<String>)> {
        let page = async {
            self.client(row, password)?
                .repositories(after, self.limits.page)
                .await
        }
        .await
        .map_err(|e| e.into_domain(false))?;
        Ok((page.items, page.next))
    }

    async fn tags(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
    ) -> domain::Result<Vec<String>> {
        async { self.client(row, password)?.all_tags(repository).await }
            .await
            .map_err(|e| e.into_domain(false))
    }

    async fn resolve(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
        tag: &str,
    ) -> domain::Result<Digest> {
        async { self.client(row, password)?.resolve(repository, tag).await }
            .await
            .map_err(|e| e.into_domain(false))
    }

    async fn inspect(
        &self,
        row: &RegistryRow,
        password: Option<&str>,
        repository: &str,
        digest: &Digest,
        now: Micros,
    ) -> domain::Result<FoundVersion> {
        let found = async {
            self.client(row, password)?
                .inspect(repository, digest, &self.trusted, now)
                .await
        }
        .await
        .map_err(|e| e.into_domain(false))?;
        Ok(FoundVersion {
            registry: row.id,
            repository: repository.to_owned(),
            digest: found.digest,
            tags: Vec::new(),
            kind: found.kind,
            facts: found.facts,
            card: found.card.map(|card| card.markdown),
            created_at: found.created,
            platforms: found.platforms,
            signature: found.signature,
            scan: found.scan,
            pickle: found.pickle,
            observed_at: now,
        })
    }
}
