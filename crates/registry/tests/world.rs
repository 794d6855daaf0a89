//! The client against the world's real registry. `GATEHOUSE_WORLD` names the `world.json` of a
//! running world; `cargo xtask test` sets it.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use domain::{
    Micros,
    artifact::{ArtifactKind, Document, ModelFormat, PickleState, ScanState, media_types},
    ids::Digest,
};
use registry::{AddressPolicy, Client, Problem, RegistryConfig, Secret, Transport};
use serde_json::{Value, json};

const NOW: &str = "2026-02-01T00:00:00Z";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const PLAIN_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn world() -> Pusher {
    let file = std::env::var_os("GATEHOUSE_WORLD").expect(
        "GATEHOUSE_WORLD must name the world.json of a running world: run `cargo xtask test`",
    );
    let world: Value =
        serde_json::from_slice(&std::fs::read(file).expect("a world.json")).expect("JSON");
    let registry = &world["registry"];
    let text = |key: &str| registry[key].as_str().expect("a text").to_owned();
    Pusher::new(&text("direct_url"), &text("username"), &text("password"))
}

fn client(pusher: &Pusher) -> Client {
    let config = RegistryConfig::new(&pusher.url)
        .with_credentials(&pusher.username, Secret::new(&pusher.password));
    Client::new(
        &Transport::new(AddressPolicy::default(), &[]).unwrap(),
        config,
    )
    .unwrap()
}

fn now() -> Micros {
    Micros::parse(NOW).unwrap()
}

async fn push_model(pusher: &Pusher, repository: &str, tag: &str, elements: usize) -> Digest {
    let weights = safetensors(elements);
    let layer = gzip(&tar(&[
        ("./models/README.md", README),
        ("models/config.json", CONFIG_JSON),
        ("models/LICENSE", b"Apache"),
        ("models/model.safetensors", &weights),
        ("bin/sh", b"x"),
    ]))
    .await;
    let config = image_config(&["sh"]).to_string();
    pusher
        .artifact(
            repository,
            tag,
            (media_types::OCI_CONFIG, config.as_bytes()),
            &[(LAYER, &layer, json!({}))],
        )
        .await
}

async fn size(client: &Client, repository: &str, digest: &Digest) -> usize {
    client.manifest(repository, digest).await.unwrap().0.len()
}

#[tokio::test]
async fn a_registry_is_checked_and_says_what_is_wrong() {
    let pusher = world();
    pusher.empty("contract/checked").await;
    push_model(&pusher, "contract/checked", "v1", 8).await;
    let validated = client(&pusher).validate().await.unwrap();
    assert!(validated.catalog && validated.repositories > 0);
    assert_eq!(validated.product, "distribution");

    let transport = Transport::new(AddressPolicy::default(), &[]).unwrap();
    let problem = async |config: RegistryConfig| {
        Client::new(&transport, config)
            .unwrap()
            .validate()
            .await
            .unwrap_err()
            .problem
    };
    assert_eq!(
        problem(RegistryConfig::new(&pusher.url)).await,
        Problem::CredentialsNeeded
    );
    let wrong =
        RegistryConfig::new(&pusher.url).with_credentials(&pusher.username, Secret::new("wrong"));
    assert_eq!(problem(wrong).await, Problem::CredentialsRefused);
    let tls = RegistryConfig::new(pusher.url.replace("http://", "https://"));
    assert!(matches!(problem(tls).await, Problem::Tls(_)));
    pusher.clean().await;
}

#[tokio::test]
async fn repositories_and_tags_are_listed_page_by_page() {
    let pusher = world();
    pusher.empty("contract/paged").await;
    let mut digests = Vec::new();
    for tag in ["v1", "v2", "v3"] {
        digests.push(push_model(&pusher, "contract/paged", tag, tag.len() + digests.len()).await);
    }
    let client = client(&pusher);
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.repositories(cursor.as_deref(), 2).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(names.contains(&"contract/paged".to_owned()));
    let mut unique = names.clone();
    unique.dedup();
    assert_eq!(unique, names);

    let first = client.tags("contract/paged", None, 2).await.unwrap();
    assert_eq!(first.items, ["v1", "v2"]);
    let rest = client
        .tags("contract/paged", first.next.as_deref(), 2)
        .await
        .unwrap();
    assert_eq!((rest.items, rest.next), (vec!["v3".to_owned()], None));
    assert_eq!(
        client.all_tags("contract/paged").await.unwrap(),
        ["v1", "v2", "v3"]
    );
    assert_eq!(
        client.resolve("contract/paged", "v2").await.unwrap(),
        digests[1]
    );

    let absent = client.resolve("contract/paged", "v9").await.unwrap_err();
    assert!(matches!(absent.problem, Problem::NotFound(_)));
    let absent = client.all_tags("contract/absent").await.unwrap_err();
    assert!(matches!(absent.problem, Problem::NotFound(_)));
    assert!(client.all_tags("../x").await.is_err());
    pusher.clean().await;
}

#[tokio::test]
async fn a_signed_and_scanned_model_image_is_known() {
    let pusher = world();
    pusher.empty("contract/signed").await;
    let client = client(&pusher);
    let repository = "contract/signed";
    let digest = push_model(&pusher, repository, "v1", 1000).await;
    let before = client
        .inspect(repository, &digest, &[trusted("release", &key(1))], now())
        .await
        .unwrap();
    assert_eq!(before.facts.notes, Vec::<String>::new());
    assert_eq!(before.kind, ArtifactKind::ModelImage);
    assert_eq!(before.facts.format, Some(ModelFormat::HuggingFace));
    assert_eq!(before.facts.parameters, Some(1000));
    assert_eq!(before.facts.licence.as_deref(), Some("apache-2.0"));
    assert_eq!(before.facts.licence_files, ["models/LICENSE"]);
    assert_eq!(before.facts.context_length, Some(4096));
    assert_eq!(before.facts.runtime_formats, ["vLLM", "huggingface"]);
    assert_eq!(before.card.as_ref().unwrap().markdown, "# A model\n");
    assert_eq!(before.platforms, ["linux/amd64"]);
    assert_eq!(before.created, Micros::parse("2026-01-02T03:04:05Z"));
    assert!(before.facts.files.complete);
    assert_eq!(before.scan, None);
    assert_eq!(before.pickle, None);

    let size = size(&client, repository, &digest).await;
    pusher
        .attach(
            repository,
            &digest,
            size,
            media_types::SIGSTORE_BUNDLE,
            &bundle(&key(1), &digest),
        )
        .await;
    pusher
        .attach(
            repository,
            &digest,
            size,
            media_types::TRIVY_REPORT,
            &trivy("2026-01-01T00:00:00Z", 2),
        )
        .await;
    pusher
        .attach(
            repository,
            &digest,
            size,
            media_types::TRIVY_REPORT,
            &trivy("2026-01-30T00:00:00Z", 0),
        )
        .await;
    let after = client
        .inspect(repository, &digest, &[trusted("release", &key(1))], now())
        .await
        .unwrap();
    assert_eq!(
        after.signature.sentence(),
        "Signed with the trusted key release."
    );
    assert_eq!(
        after.scan.unwrap().state,
        ScanState::Pass,
        "the newest report counts"
    );
    let stranger = client
        .inspect(repository, &digest, &[trusted("other", &key(2))], now())
        .await
        .unwrap();
    assert_eq!(stranger.signature.name(), "untrusted");
    assert_eq!(
        client.all_tags(repository).await.unwrap(),
        ["v1"],
        "the fallback tag is no version"
    );
    pusher.clean().await;
}

#[tokio::test]
async fn cosigns_older_signatures_count_too() {
    let pusher = world();
    pusher.empty("contract/older").await;
    let client = client(&pusher);
    let repository = "contract/older";
    let digest = push_model(&pusher, repository, "v1", 10).await;
    let (payload, signature) = simple_signing(&key(3), &digest);
    let tag = format!("{}.sig", digest.as_str().replace(':', "-"));
    let annotations = json!({"dev.cosignproject.cosign/signature": signature});
    let config = image_config(&[]).to_string();
    pusher
        .artifact(
            repository,
            &tag,
            (media_types::OCI_CONFIG, config.as_bytes()),
            &[(media_types::SIMPLE_SIGNING, &payload, annotations)],
        )
        .await;
    let found = client
        .inspect(repository, &digest, &[trusted("old", &key(3))], now())
        .await
        .unwrap();
    assert!(found.signature.is_verified(), "{:?}", found.signature);
    assert_eq!(client.all_tags(repository).await.unwrap(), ["v1"]);
    pusher.clean().await;
}

#[tokio::test]
async fn weights_in_plain_layers_are_passed_over() {
    let pusher = world();
    pusher.empty("contract/plain").await;
    let client = client(&pusher);
    let weights = safetensors(4_000_000);
    let layer = tar(&[
        ("models/a.safetensors", &weights),
        ("models/b.safetensors", &weights),
        ("models/config.json", CONFIG_JSON),
    ]);
    let config = image_config(&["sh"]).to_string();
    let digest = pusher
        .artifact(
            "contract/plain",
            "v1",
            (media_types::OCI_CONFIG, config.as_bytes()),
            &[(PLAIN_LAYER, &layer, json!({}))],
        )
        .await;
    let found = client
        .inspect("contract/plain", &digest, &[], now())
        .await
        .unwrap();
    assert_eq!(found.facts.parameters, Some(8_000_000));
    assert_eq!(found.facts.files.entries.len(), 3);
    assert!(found.facts.files.complete);
    pusher.clean().await;
}

#[tokio::test]
async fn a_pickle_that_runs_commands_is_found() {
    let pusher = world();
    pusher.empty("contract/pickle").await;
    let client = client(&pusher);
    let layer = gzip(&tar(&[(
        "models/model.pkl",
        b"cposix\nsystem\np0\n(Vid\np1\ntp2\nRp3\n.",
    )]))
    .await;
    let config = image_config(&["sh"]).to_string();
    let digest = pusher
        .artifact(
            "contract/pickle",
            "v1",
            (media_types::OCI_CONFIG, config.as_bytes()),
            &[(LAYER, &layer, json!({}))],
        )
        .await;
    let found = client
        .inspect("contract/pickle", &digest, &[], now())
        .await
        .unwrap();
    let pickle = found.pickle.unwrap();
    assert_eq!(pickle.state, PickleState::Fail);
    assert_eq!(pickle.dangerous().next().unwrap().import, "posix.system");
    pusher.clean().await;
}

#[tokio::test]
async fn other_packagings_are_known() {
    let pusher = world();
    pusher.empty("contract/pack").await;
    pusher.empty("contract/kit").await;
    pusher.empty("contract/docker").await;
    let client = client(&pusher);
    let weights = safetensors(100);
    let pack = json!({"descriptor": {"name": "packed", "licenses": ["MIT"]}, "config": {"format": "safetensors", "paramSize": "7b"}}).to_string();
    let digest = pusher
        .artifact(
            "contract/pack",
            "v1",
            (media_types::MODELPACK_CONFIG, pack.as_bytes()),
            &[
                (
                    "application/vnd.cncf.model.weight.v1.raw",
                    &weights,
                    json!({"org.cncf.model.filepath": "model.safetensors"}),
                ),
                (
                    "application/vnd.cncf.model.weight.config.v1.raw",
                    CONFIG_JSON,
                    json!({"org.cncf.model.filepath": "config.json"}),
                ),
            ],
        )
        .await;
    let found = client
        .inspect("contract/pack", &digest, &[], now())
        .await
        .unwrap();
    assert_eq!(
        (found.kind, found.facts.name.as_deref()),
        (ArtifactKind::ModelPack, Some("packed"))
    );
    assert_eq!(
        (found.facts.format, found.facts.parameters),
        (Some(ModelFormat::HuggingFace), Some(100))
    );

    let kit = json!({"manifestVersion": "1.0", "package": {"name": "kit"}, "model": {"path": "./model.onnx"}}).to_string();
    let layer = gzip(&tar(&[("model.onnx", b"onnx")])).await;
    let digest = pusher
        .artifact(
            "contract/kit",
            "v1",
            (media_types::KITOPS_CONFIG, kit.as_bytes()),
            &[(
                "application/vnd.kitops.modelkit.model.v1.tar+gzip",
                &layer,
                json!({}),
            )],
        )
        .await;
    let found = client
        .inspect("contract/kit", &digest, &[], now())
        .await
        .unwrap();
    assert_eq!(
        (found.kind, found.facts.format),
        (ArtifactKind::KitOps, Some(ModelFormat::Onnx))
    );

    let docker =
        json!({"config": {"format": "gguf", "parameters": "1B", "quantization": "Q4_K_M"}})
            .to_string();
    let digest = pusher
        .artifact(
            "contract/docker",
            "v1",
            (media_types::DOCKER_MODEL_CONFIG, docker.as_bytes()),
            &[("application/vnd.docker.ai.gguf.v3", b"GGUF", json!({}))],
        )
        .await;
    let found = client
        .inspect("contract/docker", &digest, &[], now())
        .await
        .unwrap();
    assert_eq!(
        (found.kind, found.facts.format, found.facts.parameters),
        (
            ArtifactKind::DockerModel,
            Some(ModelFormat::Gguf),
            Some(1_000_000_000)
        )
    );
    assert!(
        found.facts.notes.iter().any(|n| n.contains("GGUF")),
        "a cut header is named: {:?}",
        found.facts.notes
    );
    pusher.clean().await;
}

#[tokio::test]
async fn an_index_is_known_by_its_platforms() {
    let pusher = world();
    pusher.empty("contract/index").await;
    let client = client(&pusher);
    let repository = "contract/index";
    let child = push_model(&pusher, repository, "amd64", 5).await;
    let size = size(&client, repository, &child).await;
    let entry = |architecture: &str| json!({"mediaType": media_types::OCI_MANIFEST, "digest": child.as_str(), "size": size, "platform": {"os": "linux", "architecture": architecture}});
    let index = json!({"schemaVersion": 2, "mediaType": media_types::OCI_INDEX, "manifests": [entry("arm64"), entry("amd64"),
        {"mediaType": media_types::OCI_MANIFEST, "digest": child.as_str(), "size": size, "platform": {"os": "unknown", "architecture": "unknown"}}]});
    let digest = pusher
        .manifest(repository, Some("v1"), media_types::OCI_INDEX, &index)
        .await;
    assert!(matches!(
        client.manifest(repository, &digest).await.unwrap().1,
        Document::Index(_)
    ));
    // A report on the one platform's image speaks of the index too, whatever its type is called.
    pusher
        .attach(
            repository,
            &child,
            size,
            "application/vnd.example.scan+json",
            &trivy("2026-01-30T00:00:00Z", 1),
        )
        .await;
    let found = client
        .inspect(repository, &digest, &[], now())
        .await
        .unwrap();
    assert_eq!(found.platforms, ["linux/arm64", "linux/amd64"]);
    assert_eq!(
        (found.kind, &found.manifest_digest),
        (ArtifactKind::ModelImage, &child)
    );
    assert_eq!(found.scan.unwrap().state, ScanState::Fail);
    pusher.clean().await;
}
