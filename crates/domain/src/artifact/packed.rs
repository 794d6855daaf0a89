//! How an artifact that KServe does not load by itself (ModelPack, KitOps, Docker's) can be served:
//! by a ClusterStorageContainer of the cluster, or repacked as a model image.

use super::{
    facts::{FileLayer, ModelFacts},
    kind::ArtifactKind,
    servability::{ArtifactAddress, Scheme, Servability, Way, WayOut, dockerfile},
};
use crate::{
    observed::ClusterFacts,
    preflight::{SCHEMES, matches_uri},
};

pub(super) fn model_artifact(
    result: &mut Servability,
    address: &ArtifactAddress,
    kind: ArtifactKind,
    facts: &ModelFacts,
    cluster: &ClusterFacts,
) {
    let reference = address.reference();
    for container in containers(cluster, &reference, kind) {
        result.ways.push(Way {
            scheme: Scheme::StorageContainer,
            uri: container.uri,
            formats: facts.runtime_formats.clone(),
            how: format!("A ClusterStorageContainer of this cluster takes addresses that {}.", container.takes),
            needs: vec![if container.named {
                "What it does with the artifact is its own matter; try it in development first.".into()
            } else {
                format!("Whether it knows a {} artifact is its own matter; ask who installed it, and try it in development first.", kind.label())
            }],
        });
    }
    for regex in cluster
        .storage_regexes
        .iter()
        .filter(|r| scheme_of(r).is_none())
    {
        result.blocked(
            Some(Scheme::StorageContainer),
            format!("A ClusterStorageContainer of this cluster takes addresses that match {regex}; which of them would name this artifact cannot be told from that."),
            Some(WayOut {
                text: "Ask who installed it, and write the address yourself.".into(),
                snippet: None,
            }),
        );
    }
    if result.ways.is_empty() {
        let label = kind.label();
        result.blocked(
            None,
            format!("KServe cannot load a {label} artifact by itself, and no ClusterStorageContainer of this cluster handles one."),
            Some(WayOut {
                text: format!("Repack it as a model image: unpack the {label}, build an image with its files under /models, push it beside this one."),
                snippet: Some(repack(kind, address, facts)),
            }),
        );
    }
}

/// A storage container that may take an artifact.
struct Container {
    uri: String,
    /// "begin with kit://"
    takes: String,
    /// Its scheme names the packaging.
    named: bool,
}

/// The storage containers that may take an artifact, those that are named after its packaging
/// first. Prefixes and patterns of KServe's own schemes say nothing about such artifacts; whatever
/// somebody added may handle them.
fn containers(cluster: &ClusterFacts, reference: &str, kind: ArtifactKind) -> Vec<Container> {
    let prefixes = cluster.storage_prefixes.iter().filter_map(|prefix| {
        let (scheme, _) = prefix.split_once("://").filter(|(s, _)| !s.is_empty())?;
        Some(Container {
            uri: format!("{prefix}{reference}"),
            takes: format!("begin with {prefix}"),
            named: is_named(scheme, kind),
        })
    });
    let regexes = cluster.storage_regexes.iter().filter_map(|regex| {
        let scheme = scheme_of(regex)?;
        let uri = format!("{scheme}://{reference}");
        matches_uri(regex, &uri).then(|| Container {
            uri,
            takes: format!("match {regex}"),
            named: is_named(&scheme, kind),
        })
    });
    let mut found: Vec<Container> = prefixes
        .chain(regexes)
        .filter(|c| {
            !SCHEMES.iter().any(|own| {
                c.uri
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.starts_with("://"))
            })
        })
        .collect();
    found.sort_by_key(|c| !c.named);
    found
}

/// The scheme that a pattern begins with, where it is written out: `^kit://(.+)`, `https?://`.
fn scheme_of(regex: &str) -> Option<String> {
    let text = regex
        .strip_prefix('^')
        .unwrap_or(regex)
        .replace(['\\', '?'], "");
    let (scheme, _) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-');
    (!scheme.is_empty() && scheme.chars().all(plain)).then(|| scheme.to_owned())
}

/// Whether a scheme is called after a packaging.
fn is_named(scheme: &str, kind: ArtifactKind) -> bool {
    let names: &[&str] = match kind {
        ArtifactKind::ModelPack => &["modelpack", "modctl", "cncf"],
        ArtifactKind::KitOps => &["kit", "kitops", "modelkit", "jozu"],
        ArtifactKind::DockerModel => &["docker-model", "dockermodel", "docker+model"],
        _ => &[],
    };
    names.contains(&scheme.to_lowercase().as_str())
}

fn repack(kind: ArtifactKind, address: &ArtifactAddress, facts: &ModelFacts) -> String {
    let reference = address.reference();
    let unpack = match kind {
        ArtifactKind::KitOps => format!("# kit unpack {reference} -d ./model\n"),
        ArtifactKind::DockerModel => fetch_layers(address, &facts.file_layers),
        _ => format!("# modctl pull {reference} --extract-dir ./model\n"),
    };
    format!(
        "{unpack}# docker build -t REGISTRY/REPOSITORY:TAG . && docker push REGISTRY/REPOSITORY:TAG\n{}",
        dockerfile("COPY ./model/ /models/")
    )
}

/// How to fetch layers one by one: those of Docker's model artifacts carry no title, and
/// `oras pull` passes over what has none.
fn fetch_layers(address: &ArtifactAddress, layers: &[FileLayer]) -> String {
    let repository = format!(
        "{}/{}",
        address.host.trim_end_matches('/'),
        address.repository
    );
    let fetch = |name: &str, digest: &str| {
        format!("# oras blob fetch --output ./model/{name} {repository}@{digest}\n")
    };
    let mut text = String::from("# mkdir -p ./model\n");
    if layers.is_empty() {
        text += &format!(
            "# oras manifest fetch {}   # names the layers\n",
            address.reference()
        );
        text += &fetch("model.gguf", "LAYER_DIGEST");
    }
    // The text is made to be run: a name that a shell would read otherwise is not put into it.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    for layer in layers {
        let name = if layer.name.starts_with('-') || !layer.name.chars().all(plain) {
            "model.gguf"
        } else {
            &layer.name
        };
        text += &fetch(name, layer.digest.as_str());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        artifact::{
            servability,
            servability::tests::{address, cluster, schemes},
        },
        ids::Digest,
    };

    #[test]
    fn model_artifacts_are_to_be_repacked_unless_the_cluster_has_a_way() {
        for kind in [
            ArtifactKind::ModelPack,
            ArtifactKind::KitOps,
            ArtifactKind::DockerModel,
        ] {
            let plain = ClusterFacts {
                storage_prefixes: vec!["s3://".into(), "oci://".into()],
                ..cluster("1.34")
            };
            let result = servability(&address(), kind, &ModelFacts::default(), &plain);
            assert!(result.ways.is_empty());
            let way_out = result.obstacles[0].way_out.as_ref().unwrap();
            assert!(way_out.snippet.as_ref().unwrap().contains("/models/"));
        }
        let able = ClusterFacts {
            storage_prefixes: vec!["kit://".into()],
            ..cluster("1.34")
        };
        assert_eq!(
            schemes(ArtifactKind::KitOps, &able),
            [Scheme::StorageContainer]
        );
        // Others may handle it too; who knows their name does not.
        let able = ClusterFacts {
            storage_prefixes: vec!["models://".into(), "kit://".into(), "https://x/".into()],
            storage_regexes: vec![
                "^art\\+fact://.+/models/".into(),
                "https://(.+?).blob.core.windows.net/(.+)".into(),
                "^(a|b)://".into(),
            ],
            ..cluster("1.34")
        };
        let result = servability(
            &address(),
            ArtifactKind::KitOps,
            &ModelFacts::default(),
            &able,
        );
        let reference = address().reference();
        let uris: Vec<&str> = result.ways.iter().map(|w| w.uri.as_str()).collect();
        assert_eq!(
            uris,
            [
                format!("kit://{reference}"),
                format!("models://{reference}"),
                format!("art+fact://{reference}")
            ]
        );
        assert!(result.ways[1].needs[0].contains("Whether it knows"));
        assert!(result.obstacles[0].reason.contains("(a|b)"));
    }

    #[test]
    fn layers_without_a_title_are_fetched_by_digest() {
        let layer = Digest::of(b"weights");
        let facts = ModelFacts {
            file_layers: vec![FileLayer {
                name: "model.gguf".into(),
                digest: layer.clone(),
            }],
            ..ModelFacts::default()
        };
        let docker = ArtifactKind::DockerModel;
        let result = servability(&address(), docker, &facts, &cluster("1.34"));
        let way_out = result.obstacles[0].way_out.as_ref().unwrap();
        let snippet = way_out.snippet.as_deref().unwrap();
        let line =
            format!("oras blob fetch --output ./model/model.gguf registry:5000/models/x@{layer}\n");
        assert!(
            snippet.contains(&line) && !snippet.contains("oras pull"),
            "{snippet}"
        );
    }
}
