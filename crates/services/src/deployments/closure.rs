//! What a deployment leads to when it runs, against what was approved: the runtimes by their content,
//! images and model images by the digests that its pods report.

use domain::{
    content::{Closure, Pinned},
    ids::Digest,
    observed::{Container, Live},
};
use serde::{Deserialize, Serialize};

/// A member of the closure that is another one now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureDrift {
    pub what: String,
    pub approved: String,
    pub now: String,
}

/// A member of the closure of which nobody can tell whether it is still what was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncompared {
    pub reference: String,
    pub why: String,
}

pub(super) fn drift(approved: &Closure, now: &Closure, live: &Live) -> Vec<ClosureDrift> {
    let mut out = Vec::new();
    if approved.runtimes != now.runtimes {
        out.push(ClosureDrift {
            what: "serving runtime".into(),
            approved: shown(&approved.runtimes),
            now: shown(&now.runtimes),
        });
    }
    for pinned in approved.images.iter().chain(&approved.storage) {
        let reference = image_of(&pinned.reference);
        let running = running(live, reference);
        match &pinned.digest {
            Some(digest) => {
                for c in running
                    .iter()
                    .filter(|c| !c.image_id.contains(digest.as_str()))
                {
                    out.push(ClosureDrift {
                        what: format!("image of container {}", c.name),
                        approved: pinned.reference.clone(),
                        now: c.image_id.clone(),
                    });
                }
            }
            // By what was approved it cannot be told; that pods differ shows that the tag was moved.
            None => {
                let mut ids: Vec<&str> = running
                    .iter()
                    .filter(|c| plain(&c.image) == plain(reference))
                    .filter_map(|c| digest_in(&c.image_id))
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                if ids.len() > 1 {
                    out.push(ClosureDrift {
                        what: "tag (its pods run different images of it)".into(),
                        approved: pinned.reference.clone(),
                        now: ids.join(", "),
                    });
                }
            }
        }
    }
    out.dedup();
    out
}

/// What no digest was approved of.
pub(super) fn uncompared(approved: &Closure) -> Vec<Uncompared> {
    approved
        .images
        .iter()
        .chain(&approved.storage)
        .filter(|p| p.digest.is_none())
        .map(|p| Uncompared {
            reference: p.reference.clone(),
            why: p
                .unpinned_because
                .clone()
                .unwrap_or_else(|| "no digest was approved".into()),
        })
        .collect()
}

fn shown(all: &[Pinned]) -> String {
    if all.is_empty() {
        return "none".into();
    }
    let one = |p: &Pinned| {
        let digest = p.digest.as_ref().map_or("", Digest::short);
        format!("{} {digest}", p.reference)
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// KServe runs a model image of `oci://` as a container of the pod, under the same reference. (What
/// `oci+native://` mounts and `oci+fetch://` downloads is in no container's status.)
fn image_of(reference: &str) -> &str {
    reference.strip_prefix("oci://").unwrap_or(reference)
}

/// Containers that run an image of this repository and say which one.
fn running<'a>(live: &'a Live, reference: &str) -> Vec<&'a Container> {
    let wanted = repository(reference);
    live.pods
        .iter()
        .filter(|p| !p.deleting)
        .flat_map(|p| &p.containers)
        .filter(|c| digest_in(&c.image_id).is_some() && repository(&c.image) == wanted)
        .collect()
}

fn digest_in(image_id: &str) -> Option<&str> {
    image_id.find("sha256:").map(|at| &image_id[at..])
}

/// Registry and path, without tag and digest.
fn repository(reference: &str) -> &str {
    let name = plain(reference);
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[slash..].find(':').map_or(name.len(), |at| slash + at);
    &name[..end]
}

/// The reference without its digest and what container runtimes put before Docker's own.
fn plain(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Micros, access::Scope, ids::ClusterId, observed::Pod, place::DeploymentKey};

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn pinned(reference: &str, content: Option<&str>) -> Pinned {
        let digest = content.map(digest);
        Pinned {
            reference: match &digest {
                Some(d) => format!("{reference}@{}", d.as_str()),
                None => reference.to_owned(),
            },
            unpinned_because: digest.is_none().then(|| "named by tag".to_owned()),
            digest,
        }
    }

    /// A pod for each: containers as (name, image, content).
    fn live(pods: &[&[(&str, &str, &str)]]) -> Live {
        let container = |(name, image, content): &(&str, &str, &str)| Container {
            name: (*name).to_owned(),
            image: (*image).to_owned(),
            image_id: format!("{}@{}", repository(image), digest(content).as_str()),
            ..Default::default()
        };
        Live {
            key: DeploymentKey::new("c", "n", "llama"),
            cluster: ClusterId("c".into()),
            namespace_uid: "u".into(),
            scope: Scope {
                unit: "retail".into(),
                environment: "production".into(),
            },
            object: serde_json::Value::Null,
            workloads: vec![],
            pods: pods
                .iter()
                .map(|all| Pod {
                    containers: all.iter().map(container).collect(),
                    ..Default::default()
                })
                .collect(),
            events: vec![],
            routes: vec![],
            as_of: Micros(0),
            stale: false,
        }
    }

    fn closure(images: Vec<Pinned>, storage: Vec<Pinned>) -> Closure {
        Closure {
            runtimes: vec![],
            images,
            storage,
        }
    }

    #[test]
    fn a_model_image_is_compared_with_the_container_that_runs_it() {
        let approved = closure(
            vec![],
            vec![pinned("oci://reg:5000/models/llama", Some("a"))],
        );
        let of = |content| live(&[&[("modelcar", "reg:5000/models/llama:1", content)]]);
        assert_eq!(drift(&approved, &approved, &of("a")), []);
        let found = drift(&approved, &approved, &of("b"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "image of container modelcar");
        assert!(found[0].now.contains(digest("b").as_str()));
        assert_eq!(uncompared(&approved), []);
    }

    #[test]
    fn repositories_are_compared_whole_and_by_whatever_name_the_node_gives_them() {
        let approved = closure(vec![pinned("vllm/vllm", Some("a"))], vec![]);
        let other = live(&[&[("kserve-container", "docker.io/vllm/vllm-openai:1", "b")]]);
        assert_eq!(drift(&approved, &approved, &other), []);
        let same = live(&[&[("kserve-container", "docker.io/vllm/vllm:1", "b")]]);
        assert_eq!(drift(&approved, &approved, &same).len(), 1);
    }

    #[test]
    fn what_has_no_digest_is_said_to_be_beyond_comparison_and_a_moved_tag_shows() {
        let approved = closure(
            vec![pinned("reg/vllm:1", None)],
            vec![pinned("s3://models/llama", None)],
        );
        let open = uncompared(&approved);
        let references: Vec<&str> = open.iter().map(|u| u.reference.as_str()).collect();
        assert_eq!(references, ["reg/vllm:1", "s3://models/llama"]);
        let one = ("kserve-container", "reg/vllm:1", "a");
        assert_eq!(drift(&approved, &approved, &live(&[&[one], &[one]])), []);
        let updated = ("kserve-container", "reg/vllm:2", "b");
        assert_eq!(
            drift(&approved, &approved, &live(&[&[one], &[updated]])),
            []
        );
        let moved = ("kserve-container", "reg/vllm:1", "b");
        assert_eq!(
            drift(&approved, &approved, &live(&[&[one], &[moved]])).len(),
            1
        );
    }
}
