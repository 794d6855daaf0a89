//! Where models and images come from: schemes, what this cluster can fetch, and what can be pinned.

use super::{Checked, Rule, Said, said};
use crate::{
    artifact::ArtifactKind,
    finding::Severity::{Error, Info, Warning},
    runtime::Resolved,
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "storage-missing",
        severity: Error,
        check: missing,
    },
    Rule {
        name: "storage-scheme",
        severity: Error,
        check: scheme,
    },
    Rule {
        name: "storage-malformed",
        severity: Error,
        check: malformed,
    },
    Rule {
        name: "storage-twice",
        severity: Error,
        check: twice,
    },
    Rule {
        name: "modelcar-off",
        severity: Error,
        check: modelcar_off,
    },
    Rule {
        name: "oci-native-kubernetes",
        severity: Error,
        check: native,
    },
    Rule {
        name: "oci-fetch-off",
        severity: Error,
        check: fetch_off,
    },
    Rule {
        name: "oci-fetch-mixed",
        severity: Error,
        check: fetch_mixed,
    },
    Rule {
        name: "oci-fetch-pull-secret",
        severity: Warning,
        check: fetch_secret,
    },
    Rule {
        name: "artifact-not-served",
        severity: Error,
        check: artifact,
    },
    Rule {
        name: "storage-not-pinned",
        severity: Warning,
        check: storage_not_pinned,
    },
    Rule {
        name: "image-not-pinned",
        severity: Warning,
        check: image_not_pinned,
    },
    Rule {
        name: "runtime-image-not-pinned",
        severity: Info,
        check: runtime_image_not_pinned,
    },
];

/// The schemes that KServe's storage initializer and webhooks know.
pub(crate) const SCHEMES: [&str; 12] = [
    "gs",
    "s3",
    "pvc",
    "file",
    "https",
    "http",
    "hdfs",
    "webhdfs",
    "hf",
    "oci",
    "oci+native",
    "oci+fetch",
];

fn scheme_of(uri: &str) -> Option<&str> {
    uri.split_once("://")
        .map(|(s, _)| s)
        .filter(|s| !s.is_empty())
}

/// The way in which an `oci…://` address is mounted here: `modelcar`, `native`, `fetch`.
fn oci_way<'a>(c: &'a Checked<'_>, uri: &str) -> Option<&'a str> {
    match scheme_of(uri)? {
        "oci+native" => Some("native"),
        "oci+fetch" => Some("fetch"),
        "oci" => Some(
            c.target
                .facts
                .oci_mode
                .as_deref()
                .filter(|m| !m.is_empty())
                .unwrap_or("modelcar"),
        ),
        _ => None,
    }
}

fn by_container(c: &Checked<'_>, uri: &str) -> bool {
    let facts = c.target.facts;
    facts
        .storage_prefixes
        .iter()
        .any(|p| !p.is_empty() && uri.starts_with(p.as_str()))
        || facts.storage_regexes.iter().any(|r| matches_uri(r, uri))
}

/// Whether a storage container's pattern takes an address; one that cannot be read takes none.
pub(crate) fn matches_uri(pattern: &str, uri: &str) -> bool {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .is_ok_and(|r| r.is_match(uri))
}

fn missing(c: &Checked<'_>, out: &mut Out) {
    let model = c.view.model();
    if model.is_object() && c.view.storage_uris().is_empty() && model["storage"].is_null() {
        // A server may fetch by itself (NIM, `--model=<id>`): only then is there something to say.
        let fetches = c.view.args().iter().any(|a| a.starts_with("--model"))
            || c.view.env().iter().any(|e| e.name.contains("MODEL"));
        if !fetches {
            out.push(said(
                "spec.predictor.model.storageUri",
                "It is not said where the model's files are.",
                "Write `storageUri`, such as `oci+native://registry/models/name@sha256:…`.",
            ));
        }
    }
}

fn scheme(c: &Checked<'_>, out: &mut Out) {
    for (field, uri) in c.view.storage_uris() {
        if by_container(c, uri) {
            continue;
        }
        match scheme_of(uri) {
            Some(s) if SCHEMES.contains(&s) => {}
            Some(s) => {
                let near = SCHEMES.iter().find(|k| k.eq_ignore_ascii_case(s));
                let way = match near {
                    Some(k) => format!("Write `{k}://`: schemes are compared with case."),
                    None => format!(
                        "Use one of {}, or have a ClusterStorageContainer for `{s}://` installed.",
                        SCHEMES.join(", ")
                    ),
                };
                out.push(said(field, format!("Nothing in this cluster fetches from `{s}://`. KServe accepts it, and the pod then never starts or serves nothing."), way));
            }
            None => out.push(said(
                field,
                "The address has no scheme, so KServe mounts nothing.",
                "Begin it with a scheme, such as `oci+native://` or `s3://`.",
            )),
        }
    }
}

fn malformed(c: &Checked<'_>, out: &mut Out) {
    for (field, uri) in c.view.storage_uris() {
        let Some((scheme, rest)) = uri.split_once("://") else {
            continue;
        };
        if rest.trim_matches('/').is_empty()
            || uri.chars().any(|ch| ch.is_whitespace() || ch.is_control())
        {
            out.push(said(
                field,
                "The address is not complete, or holds blanks.",
                "Write it whole, such as `s3://bucket/path`.",
            ));
        } else if scheme.starts_with("oci") && !image_reference(rest) {
            out.push(said(
                field,
                format!("`{rest}` is no image reference."),
                "Write `registry/repository@sha256:…` in lower case.",
            ));
        } else if rest.contains('@')
            && rest
                .split('@')
                .next()
                .is_some_and(|user| user.contains(':') && !user.contains('/'))
        {
            out.push(said(field, "The address holds a user name and a password, which everybody who may read the service could see.", "Give the credentials to the service account with a Secret."));
        }
    }
}

/// `registry/repository[:tag][@digest]`, roughly as container runtimes read it.
fn image_reference(text: &str) -> bool {
    let (name, digest) = text
        .split_once('@')
        .map_or((text, None), |(n, d)| (n, Some(d)));
    if digest.is_some_and(|d| d.parse::<crate::ids::Digest>().is_err())
        || !name.bytes().all(|b| b.is_ascii_graphic())
    {
        return false;
    }
    // A port is part of the first component, a tag of the last.
    let (host, path) = name.split_once('/').map_or(("", name), |(h, p)| (h, p));
    let (path, tag) = path
        .rsplit_once(':')
        .map_or((path, None), |(p, t)| (p, Some(t)));
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes().all(|b| {
                b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
            })
    };
    let tag_right = tag.is_none_or(|t| {
        !t.is_empty()
            && t.len() <= 128
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    tag_right
        && path.split('/').all(part)
        && (host.is_empty()
            || host.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':' | b'[' | b']')
            }))
}

fn twice(c: &Checked<'_>, out: &mut Out) {
    let p = c.view.predictor();
    if c.view.storage_uri().is_some() && p["storageUris"].as_array().is_some_and(|l| !l.is_empty())
    {
        out.push(said(
            "spec.predictor.storageUris",
            "`storageUri` and `storageUris` exclude each other.",
            "Keep one of them.",
        ));
    }
    if c.view.storage_uri().is_some()
        && c.view.model()["storage"].is_object()
        && c.view.model().pointer("/storage/path").is_some()
    {
        out.push(said(
            "spec.predictor.model.storage",
            "`storageUri` and `storage` exclude each other.",
            "Keep one of them.",
        ));
    }
}

fn modelcar_off(c: &Checked<'_>, out: &mut Out) {
    for (field, uri) in c.view.storage_uris() {
        if oci_way(c, uri) == Some("modelcar") && c.target.facts.modelcar == Some(false) {
            out.push(said(field, "This cluster's KServe does not serve models from images in a sidecar (`enableModelcar` is false).", "Use `oci+native://` on Kubernetes 1.33 or later, or have modelcars switched on."));
        }
    }
}

fn native(c: &Checked<'_>, out: &mut Out) {
    let Some(minor) = c.kubernetes_minor().filter(|m| *m < 33) else {
        return;
    };
    for (field, uri) in c.view.storage_uris() {
        if oci_way(c, uri) == Some("native") {
            out.push(said(field, format!("Mounting an image as a volume needs Kubernetes 1.33; this cluster has 1.{minor}."), "Use `oci://`, which KServe serves from a sidecar."));
        }
    }
}

fn fetch_off(c: &Checked<'_>, out: &mut Out) {
    for (field, uri) in c.view.storage_uris() {
        if oci_way(c, uri) == Some("fetch") && c.target.facts.oci_fetch == Some(false) {
            out.push(said(field, "This cluster's KServe does not fetch models from images (`enableOciModelSupport` is false).", "Use `oci+native://` or `oci://`, or have it switched on."));
        }
    }
}

fn fetch_mixed(c: &Checked<'_>, out: &mut Out) {
    let uris = c.view.storage_uris();
    let stable: Vec<_> = uris
        .iter()
        .filter(|(f, _)| f.starts_with("spec.predictor"))
        .collect();
    let fetched = stable
        .iter()
        .filter(|(_, u)| oci_way(c, u) == Some("fetch"))
        .count();
    if fetched > 0 && fetched < stable.len() {
        out.push(said(
            "spec.predictor.storageUris",
            "Models fetched from an image cannot be mixed with other storage.",
            "Use one kind of storage for all.",
        ));
    }
}

fn fetch_secret(c: &Checked<'_>, out: &mut Out) {
    let fetched = c
        .view
        .storage_uris()
        .iter()
        .any(|(_, u)| oci_way(c, u) == Some("fetch"));
    if fetched && c.view.image_pull_secrets().len() > 1 {
        out.push(said(
            "spec.predictor.imagePullSecrets",
            "To fetch a model from an image KServe uses the first pull secret only.",
            "Put the registry's secret first.",
        ));
    }
}

fn artifact(c: &Checked<'_>, out: &mut Out) {
    let Some(kind) = c.target.artifact else {
        return;
    };
    let storage = c.view.storage_uri();
    match (kind, storage) {
        (ArtifactKind::ModelPack | ArtifactKind::KitOps | ArtifactKind::DockerModel, Some(uri)) if !by_container(c, uri) => out.push(said(
            "spec.predictor.model.storageUri",
            format!("This is packed as {}, which KServe does not serve by itself.", kind.label()),
            "Repack it as a model image, with the model's files under /models/, or have a ClusterStorageContainer for it installed.",
        )),
        (ArtifactKind::ServingImage, Some(_)) => out.push(said(
            "spec.predictor.model.storageUri",
            "This image is a server, not a model's files: nothing lies under /models/.",
            "Run it as a container of its own (`predictor.containers`), or by a runtime that uses this image.",
        )),
        (ArtifactKind::ModelImage, None) if c.view.image().is_some() => out.push(said(
            format!("{}.image", c.container_path),
            "This image holds a model's files and starts no server.",
            "Write it as `predictor.model.storageUri: oci+native://…` and choose a format.",
        )),
        _ => {}
    }
}

fn pinned(reference: &str) -> bool {
    reference.contains("@sha256:")
}

fn storage_not_pinned(c: &Checked<'_>, out: &mut Out) {
    for (field, uri) in c.view.storage_uris() {
        let Some(scheme) = scheme_of(uri) else {
            continue;
        };
        if scheme.starts_with("oci") {
            if !pinned(uri) {
                out.push(said(
                    field,
                    "A tag can be moved: what is served could change after the decision.",
                    "Write the digest: `…@sha256:…`. The version's page has it.",
                ));
            }
        } else if SCHEMES.contains(&scheme)
            && !(scheme == "hf"
                && uri.rsplit_once(':').is_some_and(|(_, rev)| {
                    rev.len() == 40 && rev.bytes().all(|b| b.is_ascii_hexdigit())
                }))
        {
            out.push(said(
                field,
                format!(
                    "What lies at `{scheme}://` can change after the decision; it cannot be pinned."
                ),
                "Where it matters, pack the model as an image and refer to it by digest.",
            ));
        }
    }
}

fn image_not_pinned(c: &Checked<'_>, out: &mut Out) {
    for (field, image) in c.view.images() {
        if !pinned(image) && !image.is_empty() {
            let latest = if image.ends_with(":latest")
                || !image.rsplit('/').next().unwrap_or(image).contains(':')
            {
                " (and `latest` means another image each time)"
            } else {
                ""
            };
            out.push(said(
                field,
                format!("The image is named by a tag, which can be moved{latest}."),
                "Write the digest: `…@sha256:…`.",
            ));
        }
    }
}

fn runtime_image_not_pinned(c: &Checked<'_>, out: &mut Out) {
    let (Resolved::Named(r) | Resolved::Auto(r)) = &c.runtime else {
        return;
    };
    let images = r.spec["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|x| x["image"].as_str());
    let loose: Vec<&str> = images.filter(|i| !pinned(i)).collect();
    if !loose.is_empty() && c.view.model()["image"].is_null() {
        out.push(said("spec.predictor.model.runtime", format!("The runtime `{}` names its image by a tag ({}): what serves can change after the decision.", r.name, loose.join(", ")), "Whoever runs the cluster can pin it in the runtime."));
    }
}
