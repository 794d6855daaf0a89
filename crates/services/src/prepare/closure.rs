//! What content leads to when it runs.

use crate::facts;
use domain::{
    content::{Closure, Pinned, canonical},
    ids::Digest,
    isvc::View,
    observed::Runtime,
    runtime::all_of,
};
use serde_json::Value;

/// What the object leads to when it runs, by digest or with the reason why not.
pub fn closure(object: &Value, runtimes: &[Runtime]) -> Closure {
    let view = View::new(object);
    let serving = all_of(object, runtimes);
    let mut images: Vec<String> = view
        .images()
        .into_iter()
        .map(|(_, i)| i.to_owned())
        .collect();
    for r in &serving {
        let of_runtime = r
            .spec
            .get("containers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        images.extend(of_runtime.filter_map(|c| c.get("image")?.as_str().map(Into::into)));
    }
    images.sort();
    images.dedup();
    let pin = |reference: &str, why: &str| {
        let digest = facts::digest_of(reference);
        Pinned {
            reference: reference.into(),
            unpinned_because: digest.is_none().then(|| why.into()),
            digest,
        }
    };
    Closure {
        runtimes: serving
            .iter()
            .map(|r| Pinned {
                reference: if r.namespace.is_some() {
                    format!("ServingRuntime/{}", r.name)
                } else {
                    format!("ClusterServingRuntime/{}", r.name)
                },
                digest: Some(Digest::of(&canonical(&r.spec))),
                unpinned_because: None,
            })
            .collect(),
        images: images
            .iter()
            .map(|i| {
                pin(
                    i,
                    "named by tag: the registry decides what it is when a pod starts",
                )
            })
            .collect(),
        storage: view
            .storage_uris()
            .into_iter()
            .map(|(_, uri)| {
                let why = if uri.contains("oci") {
                    "named by tag: the registry decides what it is when a pod starts"
                } else {
                    "this kind of storage has no digest: its content can change under the same name"
                };
                pin(uri, why)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_canarys_runtime_is_part_of_what_is_approved() {
        let runtime = |name: &str, format: &str, image: &str| Runtime {
            name: name.into(),
            namespace: None,
            disabled: false,
            formats: vec![domain::observed::RuntimeFormat {
                name: format.into(),
                version: None,
                auto_select: true,
                priority: 1,
            }],
            protocols: vec![],
            multi_node: false,
            created_at: None,
            spec: json!({"containers": [{"image": image}]}),
        };
        let model = |format: &str| json!({"model": {"modelFormat": {"name": format}}});
        let object = json!({"metadata": {"namespace": "n"}, "spec": {
            "predictor": model("one"), "canary": [{"predictor": model("two")}]}});
        let before = closure(
            &object,
            &[runtime("a", "one", "x"), runtime("b", "two", "y")],
        );
        let references: Vec<&str> = before
            .runtimes
            .iter()
            .map(|r| r.reference.as_str())
            .collect();
        assert_eq!(
            references,
            ["ClusterServingRuntime/a", "ClusterServingRuntime/b"]
        );
        assert_eq!(before.images.len(), 2);
        let after = closure(
            &object,
            &[runtime("a", "one", "x"), runtime("b", "two", "z")],
        );
        assert_ne!(before.runtimes, after.runtimes);
    }
}
