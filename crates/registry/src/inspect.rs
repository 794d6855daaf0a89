//! Everything about one digest, put together.

use domain::{
    Micros,
    artifact::{
        ArtifactKind, Card, Descriptor, Document, FileLayer, ImageConfig, Manifest, ModelFacts,
        PickleFact, PickleScan, ScanFact, SignatureFact, Sources, TrustedKey, detect,
        parse_packaging,
    },
    ids::Digest,
};

use crate::{
    client::Client,
    cosign::Keys,
    error::Result,
    layers::{Contents, Scope, file_names},
};

/// Largest configuration that is read.
const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;
/// Most layers that are looked into.
const MAX_LAYERS: usize = 200;
/// Most other platforms of an index whose files are looked into.
const MAX_OTHERS: usize = 4;
/// Longest time for them; it has room in the time of the whole call.
const OTHERS_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// A layer, as its manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFact {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size as stored, in bytes.
    pub size: u64,
}

/// What is known of one digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// The digest that was asked for.
    pub digest: Digest,
    /// The digest of the manifest that was looked into: of one platform, where the digest is an index.
    pub manifest_digest: Digest,
    /// What it is.
    pub kind: ArtifactKind,
    /// What its manifest says it is.
    pub declared_type: String,
    /// When it was made, where it says so.
    pub created: Option<Micros>,
    /// Where it runs: `linux/amd64`.
    pub platforms: Vec<String>,
    /// Its layers.
    pub layers: Vec<LayerFact>,
    /// The model.
    pub facts: ModelFacts,
    /// The model card.
    pub card: Option<Card>,
    /// The signature.
    pub signature: SignatureFact,
    /// The newest scan.
    pub scan: Option<ScanFact>,
    /// The model files that run code.
    pub pickle: Option<PickleFact>,
}

/// The manifest that is looked into.
struct Chosen {
    digest: Digest,
    manifest: Manifest,
    platforms: Vec<String>,
    /// The images of the other platforms.
    others: Vec<Descriptor>,
}

impl Client {
    /// Looks at everything that is known of a digest, against these trusted keys, at this time.
    ///
    /// What cannot be found out is unknown in the result and named in `facts.notes`; an error is
    /// only returned when not even the manifest can be read.
    pub async fn inspect(
        &self,
        repository: &str,
        digest: &Digest,
        trusted: &[TrustedKey],
        now: Micros,
    ) -> Result<Inspection> {
        self.within(self.inspect_all(repository, digest, trusted, now))
            .await
    }

    async fn inspect_all(
        &self,
        repository: &str,
        digest: &Digest,
        trusted: &[TrustedKey],
        now: Micros,
    ) -> Result<Inspection> {
        let (bytes, document) = self.manifest(repository, digest).await?;
        let chosen = self.choose(repository, digest, document).await?;
        let manifest = &chosen.manifest;
        let mut notes = Vec::new();

        let referrers = self.referrers(repository, digest).await;
        let keys = Keys::new(trusted);
        let listed = referrers.as_deref().map_err(|e| e.message());
        let signature = self
            .signature(
                repository,
                digest,
                &bytes,
                listed.as_deref().map_err(String::as_str),
                &keys,
            )
            .await;

        let config = match self
            .blob(
                repository,
                &manifest.config,
                MAX_CONFIG_BYTES,
                "The configuration",
            )
            .await
        {
            Ok(config) => Some(config),
            Err(e) if e.is_passing() => return Err(e),
            Err(e) => {
                notes.push(format!(
                    "The configuration could not be read: {}",
                    e.message()
                ));
                None
            }
        };
        let image = config
            .as_deref()
            .filter(|_| manifest.is_container_image())
            .and_then(|bytes| {
                ImageConfig::parse(bytes)
                    .map_err(|malformed| notes.push(format!("{malformed}.")))
                    .ok()
            });

        let mut budget = self.limits().inspection_bytes;
        let mut contents = self
            .contents(repository, manifest, image.as_ref(), &mut budget)
            .await;
        let listing = contents.listing();
        let kind = detect(manifest, image.as_ref(), &listing);
        let packaging = config.as_deref().and_then(|bytes| {
            parse_packaging(kind, bytes)
                .map_err(|malformed| notes.push(format!("{malformed}.")))
                .ok()
        });
        let created = image
            .as_ref()
            .and_then(|i| i.created)
            .or_else(|| packaging.as_ref().and_then(|p| p.created))
            .or_else(|| {
                manifest
                    .annotations
                    .get("org.opencontainers.image.created")
                    .and_then(|t| Micros::parse(t))
            });
        let mut platforms = chosen.platforms;
        if platforms.is_empty() {
            platforms.extend(
                image
                    .as_ref()
                    .and_then(|i| i.platform.as_ref())
                    .map(|p| p.label()),
            );
        }

        let mut pickles = contents.pickles();
        // What the digest runs on another platform is part of what is decided.
        let mut complete = listing.complete;
        if complete {
            let others = self.others(repository, &chosen.others, &mut budget, &mut pickles);
            if let Err(gap) = others.await {
                complete = false;
                notes.push(gap);
            }
        }
        let mut scan = match &referrers {
            Ok(list) => {
                self.scan(
                    repository,
                    digest,
                    &chosen.digest,
                    list,
                    kind,
                    now,
                    &mut notes,
                )
                .await
            }
            Err(e) => {
                notes.push(format!(
                    "What refers to this version could not be listed, so scans are unknown: {}",
                    e.message()
                ));
                None
            }
        };
        if let Some(scan) = scan.as_mut().filter(|_| !chosen.others.is_empty()) {
            let labels: Vec<String> = chosen.others.iter().map(platform).collect();
            scan.reason.push_str(&format!(
                " A report is about one platform; this version also has {}.",
                labels.join(", ")
            ));
        }
        let card = contents.card();
        if let Some(problem) = card.as_ref().and_then(|c| c.problem.clone()) {
            notes.push(problem);
        }
        let pickle = PickleFact::of(pickles, complete);
        let mut facts = ModelFacts::assemble(Sources {
            files: listing,
            config: contents.config(),
            safetensors: contents.tensors(),
            index_bytes: contents.index_bytes(),
            gguf: contents.gguf(),
            packaging,
            card: card.clone(),
            image,
            annotations: manifest.annotations.clone(),
            file_layers: file_layers(manifest, kind),
        });
        facts.files.complete = complete;
        facts.artifact_bytes = Some(manifest.layers_size());
        facts.notes = notes;
        facts.notes.append(&mut contents.notes);
        Ok(Inspection {
            digest: digest.clone(),
            manifest_digest: chosen.digest,
            kind,
            declared_type: manifest.effective_type().to_owned(),
            created,
            platforms,
            layers: manifest
                .layers
                .iter()
                .map(|l| LayerFact {
                    media_type: l.media_type.clone(),
                    digest: l.digest.clone(),
                    size: l.size,
                })
                .collect(),
            facts,
            card,
            signature,
            scan,
            pickle,
        })
    }

    /// The manifest behind a digest; of an index, the one for Linux on x86-64, or the first.
    async fn choose(
        &self,
        repository: &str,
        digest: &Digest,
        document: Document,
    ) -> Result<Chosen> {
        let index = match document {
            Document::Manifest(manifest) => {
                return Ok(Chosen {
                    digest: digest.clone(),
                    manifest,
                    platforms: Vec::new(),
                    others: Vec::new(),
                });
            }
            Document::Index(index) => index,
        };
        let known = |d: &&Descriptor| d.platform.as_ref().is_none_or(|p| p.is_known());
        let usual = |d: &&Descriptor| {
            d.platform
                .as_ref()
                .is_some_and(|p| p.os == "linux" && p.architecture == "amd64")
        };
        let candidates: Vec<&Descriptor> = index.manifests.iter().filter(known).collect();
        let descriptor = candidates
            .iter()
            .copied()
            .find(|d| usual(d))
            .or_else(|| candidates.first().copied())
            .ok_or_else(|| domain::artifact::Malformed::new("The image index", "lists no image"))?;
        let platforms = candidates
            .iter()
            .filter_map(|d| d.platform.as_ref())
            .map(|p| p.label())
            .collect();
        match self.manifest(repository, &descriptor.digest).await?.1 {
            Document::Manifest(manifest) => Ok(Chosen {
                digest: descriptor.digest.clone(),
                manifest,
                platforms,
                others: candidates
                    .iter()
                    .filter(|d| d.digest != descriptor.digest)
                    .map(|d| (*d).clone())
                    .collect(),
            }),
            Document::Index(_) => Err(domain::artifact::Malformed::new(
                "The image index",
                "lists another index, which is not followed",
            )
            .into()),
        }
    }

    /// Looks into the images of an index's other platforms and adds the files in them that run
    /// code. An error says, in a sentence, what of them is not known.
    async fn others(
        &self,
        repository: &str,
        others: &[Descriptor],
        budget: &mut u64,
        pickles: &mut Vec<PickleScan>,
    ) -> std::result::Result<(), String> {
        let unread = |d: &Descriptor| {
            format!(
                "The files of the image for {} could not all be read.",
                platform(d)
            )
        };
        let deadline = tokio::time::Instant::now() + OTHERS_TIME;
        for (number, other) in others.iter().enumerate() {
            if number == MAX_OTHERS {
                return Err(format!(
                    "There are more than {MAX_OTHERS} other platforms; the rest was not looked into."
                ));
            }
            let work = async {
                let document = self.manifest(repository, &other.digest).await.ok()?.1;
                let Document::Manifest(manifest) = document else {
                    return None;
                };
                Some(self.contents(repository, &manifest, None, budget).await)
            };
            let contents = tokio::time::timeout_at(deadline, work)
                .await
                .ok()
                .flatten()
                .ok_or_else(|| unread(other))?;
            for mut scan in contents.pickles() {
                if !pickles.contains(&scan) {
                    scan.file = format!("{} ({})", scan.file, platform(other));
                    pickles.push(scan);
                }
            }
            if !contents.complete {
                return Err(unread(other));
            }
        }
        Ok(())
    }

    /// What lies in the layers; `budget` is what may still be downloaded, in bytes.
    async fn contents(
        &self,
        repository: &str,
        manifest: &Manifest,
        image: Option<&ImageConfig>,
        budget: &mut u64,
    ) -> Contents {
        let scope = if manifest.is_container_image() {
            Scope::Models
        } else {
            Scope::All
        };
        let mut contents = Contents::new(scope);
        let kind = detect(manifest, image, &contents.listing());
        if scope == Scope::All && kind == ArtifactKind::Unknown {
            contents.gap("This is no image and no model packaging that we know, so its layers were not read.".into());
            return contents;
        }
        // A server's image is known by what it starts; its gigabytes of libraries say nothing more.
        let serves = image.and_then(ImageConfig::serving_hint).is_some();
        let names = file_names(&manifest.layers);
        for (number, (layer, name)) in manifest.layers.iter().zip(&names).enumerate() {
            if number == MAX_LAYERS {
                contents.gap(format!(
                    "There are more than {MAX_LAYERS} layers; the rest was not read."
                ));
                break;
            }
            if serves && layer.size > 8 * 1024 * 1024 {
                contents.complete = false;
                continue;
            }
            self.look_into(repository, layer, name.as_deref(), &mut contents, budget)
                .await;
        }
        contents
    }
}

/// The weights of Docker's model artifacts, which `oras pull` passes over.
fn file_layers(manifest: &Manifest, kind: ArtifactKind) -> Vec<FileLayer> {
    if kind != ArtifactKind::DockerModel {
        return Vec::new();
    }
    let names = file_names(&manifest.layers);
    let weights = |name: &String| name.ends_with(".gguf") || name.ends_with(".safetensors");
    manifest
        .layers
        .iter()
        .zip(names)
        .filter_map(|(layer, name)| {
            Some(FileLayer {
                name: name.filter(weights)?,
                digest: layer.digest.clone(),
            })
        })
        .take(MAX_LAYERS)
        .collect()
}

/// Where an image of an index runs.
fn platform(descriptor: &Descriptor) -> String {
    descriptor
        .platform
        .as_ref()
        .map_or_else(|| "an unnamed platform".to_owned(), |p| p.label())
}
