//! Which runtime serves a model: what KServe would choose, and what the wizard may offer.

use crate::{
    isvc::{Format, View},
    observed::{Runtime, RuntimeFormat},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Does a runtime support a model?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "support", rename_all = "kebab-case")]
pub enum Support {
    Yes,
    /// It has the format under a name that differs in case only: KServe compares with case.
    OtherCase {
        name: String,
    },
    /// It has the format, in other versions.
    OtherVersion {
        versions: Vec<String>,
    },
    /// It has the format and speaks other protocols.
    OtherProtocol {
        protocols: Vec<String>,
    },
    No,
}

/// What KServe's runtime selection makes of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved<'a> {
    /// The manifest names it, and it supports the model.
    Named(&'a Runtime),
    /// KServe chooses it by itself.
    Auto(&'a Runtime),
    /// The predictor brings its own containers.
    NotNeeded,
    /// The manifest names a runtime that is not there.
    Missing { name: String },
    /// The manifest names a runtime that is switched off.
    Disabled(&'a Runtime),
    /// The manifest names a runtime that does not support the model.
    Unsupported {
        runtime: &'a Runtime,
        support: Support,
    },
    /// No runtime would be chosen. `instead`: a name that differs in case only.
    None { instead: Option<String> },
    /// The manifest says no format.
    NoFormat,
}

impl<'a> Resolved<'a> {
    /// The runtime that would serve it.
    pub fn runtime(&self) -> Option<&'a Runtime> {
        match self {
            Self::Named(r) | Self::Auto(r) => Some(r),
            _ => None,
        }
    }
}

fn has(format: &RuntimeFormat, wanted: &Format) -> bool {
    format.name == wanted.name
        && wanted
            .version
            .as_ref()
            .is_none_or(|v| format.version.as_ref() == Some(v))
}

/// Does this runtime support the format, its version, and the protocol, where one is asked for?
/// Without protocols of its own a runtime speaks every protocol, as KServe has it.
pub fn supports(runtime: &Runtime, format: &Format, protocol: Option<&str>) -> Support {
    let same_name: Vec<_> = runtime
        .formats
        .iter()
        .filter(|f| f.name == format.name)
        .collect();
    if same_name.is_empty() {
        return match runtime
            .formats
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(&format.name))
        {
            Some(f) => Support::OtherCase {
                name: f.name.clone(),
            },
            None => Support::No,
        };
    }
    if !same_name.iter().any(|f| has(f, format)) {
        return Support::OtherVersion {
            versions: same_name.iter().filter_map(|f| f.version.clone()).collect(),
        };
    }
    match protocol {
        Some(p) if !runtime.protocols.is_empty() && !runtime.protocols.iter().any(|x| x == p) => {
            Support::OtherProtocol {
                protocols: runtime.protocols.clone(),
            }
        }
        _ => Support::Yes,
    }
}

/// May a service in this namespace use it?
pub fn visible(runtime: &Runtime, namespace: &str) -> bool {
    runtime.namespace.as_deref().is_none_or(|n| n == namespace)
}

/// The runtimes that a wizard may offer for a format, best first: what KServe would choose by itself,
/// then the others; the namespace's own before the cluster's.
pub fn supporting<'a>(
    runtimes: &'a [Runtime],
    namespace: &str,
    format: &Format,
    protocol: Option<&str>,
) -> Vec<&'a Runtime> {
    let mut out: Vec<&Runtime> = runtimes
        .iter()
        .filter(|r| {
            !r.disabled
                && !r.multi_model()
                && visible(r, namespace)
                && supports(r, format, protocol) == Support::Yes
        })
        .collect();
    out.sort_by_key(|r| {
        let auto = chosen_format(r, format);
        (
            auto.is_none(),
            r.namespace.is_none(),
            std::cmp::Reverse(auto.map_or(0, |f| f.priority)),
            std::cmp::Reverse(r.created_at),
            r.name.clone(),
        )
    });
    out
}

/// The entry by which KServe would select this runtime by itself.
fn chosen_format<'a>(runtime: &'a Runtime, format: &Format) -> Option<&'a RuntimeFormat> {
    runtime
        .formats
        .iter()
        .filter(|f| f.auto_select && has(f, format))
        .max_by_key(|f| f.priority)
}

/// What KServe would choose by itself: `autoSelect`, the namespace's own before the cluster's, then
/// the highest priority, then the newest, then the first by name. Where no protocol is asked for it
/// wants one that speaks v1. `multi_node`: the predictor has a `workerSpec`; then KServe looks among
/// the runtimes with a worker alone, and otherwise among those without.
pub fn auto_select<'a>(
    runtimes: &'a [Runtime],
    namespace: &str,
    format: &Format,
    protocol: Option<&str>,
    multi_node: bool,
) -> Option<&'a Runtime> {
    supporting(runtimes, namespace, format, Some(protocol.unwrap_or("v1")))
        .into_iter()
        .find(|r| chosen_format(r, format).is_some() && r.multi_node == multi_node)
}

/// A runtime by name as KServe looks it up: the namespace's own first, then the cluster's.
pub fn find<'a>(runtimes: &'a [Runtime], namespace: &str, name: &str) -> Option<&'a Runtime> {
    let named = |r: &&Runtime| r.name == name;
    runtimes
        .iter()
        .filter(named)
        .find(|r| r.namespace.as_deref() == Some(namespace))
        .or_else(|| {
            runtimes
                .iter()
                .filter(named)
                .find(|r| r.namespace.is_none())
        })
}

/// A format that some visible runtime has under a name that differs in case only.
pub fn did_you_mean(runtimes: &[Runtime], namespace: &str, name: &str) -> Option<String> {
    let mut formats = runtimes
        .iter()
        .filter(|r| !r.disabled && visible(r, namespace))
        .flat_map(|r| &r.formats);
    formats
        .find(|f| f.name != name && f.name.eq_ignore_ascii_case(name))
        .map(|f| f.name.clone())
}

/// What KServe's selection makes of this InferenceService.
pub fn resolve<'a>(manifest: &Value, runtimes: &'a [Runtime]) -> Resolved<'a> {
    let view = View::new(manifest);
    resolve_view(&view, runtimes, view.namespace())
}

/// As [`resolve`], in a namespace that the manifest need not name.
pub fn resolve_view<'a>(view: &View<'_>, runtimes: &'a [Runtime], namespace: &str) -> Resolved<'a> {
    if !view.model().is_object() {
        return if view.image().is_some() {
            Resolved::NotNeeded
        } else {
            Resolved::NoFormat
        };
    }
    let Some(format) = view.format() else {
        return Resolved::NoFormat;
    };
    match view.runtime() {
        Some(name) => match find(runtimes, namespace, name) {
            None => Resolved::Missing {
                name: name.to_owned(),
            },
            Some(r) if r.disabled => Resolved::Disabled(r),
            Some(r) => match supports(r, &format, view.protocol()) {
                Support::Yes => Resolved::Named(r),
                support => Resolved::Unsupported {
                    runtime: r,
                    support,
                },
            },
        },
        None => match auto_select(
            runtimes,
            namespace,
            &format,
            view.protocol(),
            view.multi_node(),
        ) {
            Some(r) => Resolved::Auto(r),
            None => Resolved::None {
                instead: did_you_mean(runtimes, namespace, &format.name),
            },
        },
    }
}

/// The runtimes that the stable predictor and the canaries would be served by, each once, in this order.
pub fn all_of<'a>(manifest: &Value, runtimes: &'a [Runtime]) -> Vec<&'a Runtime> {
    let view = View::new(manifest);
    let mut out: Vec<&Runtime> = resolve(manifest, runtimes).runtime().into_iter().collect();
    for canary in view.canaries() {
        let alone = serde_json::json!({ "spec": { "predictor": canary.predictor } });
        let found = resolve_view(&View::new(&alone), runtimes, view.namespace()).runtime();
        out.extend(found.filter(|r| !out.contains(r)));
    }
    out
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
