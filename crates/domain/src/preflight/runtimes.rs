//! Formats and the runtimes that serve them.

use super::{Checked, Rule, Said, said};
use crate::{
    finding::Severity::{Error, Warning},
    runtime::{self, Resolved, Support},
};

type Out = Vec<Said>;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "format-missing",
        severity: Error,
        check: format_missing,
    },
    Rule {
        name: "format-wrong-case",
        severity: Error,
        check: format_wrong_case,
    },
    Rule {
        name: "runtime-none",
        severity: Error,
        check: runtime_none,
    },
    Rule {
        name: "runtime-missing",
        severity: Error,
        check: runtime_missing,
    },
    Rule {
        name: "runtime-disabled",
        severity: Error,
        check: runtime_disabled,
    },
    Rule {
        name: "runtime-unsupported",
        severity: Error,
        check: runtime_unsupported,
    },
    Rule {
        name: "runtime-chosen-by-kserve",
        severity: Warning,
        check: runtime_chosen,
    },
    Rule {
        name: "protocol-unknown",
        severity: Error,
        check: protocol_unknown,
    },
];

fn format_missing(c: &Checked<'_>, out: &mut Out) {
    if c.view.model().is_object() && c.view.format().is_none() {
        out.push(said(
            "spec.predictor.model.modelFormat.name",
            "No model format is written, so no runtime can be chosen.",
            "Write the format, such as `vLLM` or `huggingface`.",
        ));
    }
}

fn format_wrong_case(c: &Checked<'_>, out: &mut Out) {
    let Some(f) = c.view.format() else { return };
    let right = match &c.runtime {
        Resolved::Unsupported {
            support: Support::OtherCase { name },
            ..
        } => name.clone(),
        Resolved::None {
            instead: Some(name),
        } => name.clone(),
        _ => return,
    };
    out.push(said(
        "spec.predictor.model.modelFormat.name",
        format!(
            "KServe compares formats with case and knows no `{}`; did you mean `{right}`?",
            f.name
        ),
        format!("Write `{right}`."),
    ));
}

fn formats(c: &Checked<'_>) -> String {
    let visible = c
        .target
        .runtimes
        .iter()
        .filter(|r| !r.disabled && runtime::visible(r, c.view.namespace()));
    let names: std::collections::BTreeSet<&str> = visible
        .flat_map(|r| &r.formats)
        .map(|f| f.name.as_str())
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn runtime_none(c: &Checked<'_>, out: &mut Out) {
    if c.target.runtimes.is_empty() || !matches!(c.runtime, Resolved::None { instead: None }) {
        return;
    }
    let Some(f) = c.view.format() else { return };
    let by_hand = runtime::supporting(c.target.runtimes, c.view.namespace(), &f, c.view.protocol());
    // Over several nodes only a runtime with a worker helps.
    let several = c.view.multi_node();
    if let Some(r) = by_hand.iter().find(|r| r.multi_node || !several) {
        out.push(said(
            "spec.predictor.model.runtime",
            format!(
                "KServe chooses no runtime for {f} by itself, though {} supports it.",
                r.name
            ),
            format!("Name the runtime: `runtime: {}`.", r.name),
        ));
    } else {
        out.push(said(
            "spec.predictor.model.modelFormat.name",
            format!(
                "No runtime supports {f}{}{}.",
                if several { " over several nodes" } else { "" },
                c.view
                    .protocol()
                    .map(|p| format!(" with protocol {p}"))
                    .unwrap_or_default()
            ),
            format!(
                "Choose a format that is served here ({}), or have a runtime installed.",
                formats(c)
            ),
        ));
    }
}

fn runtime_missing(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Missing { name } = &c.runtime {
        if c.target.runtimes.is_empty() {
            return;
        }
        let offer = c
            .view
            .format()
            .map(|f| runtime::supporting(c.target.runtimes, c.view.namespace(), &f, None))
            .unwrap_or_default();
        let way = match offer.first() {
            Some(r) => format!("Use `{}`, or have `{name}` installed.", r.name),
            None => format!("Have `{name}` installed, or choose another."),
        };
        out.push(said(
            "spec.predictor.model.runtime",
            format!("The runtime `{name}` is neither in the namespace nor in the cluster."),
            way,
        ));
    }
}

fn runtime_disabled(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Disabled(r) = &c.runtime {
        out.push(said(
            "spec.predictor.model.runtime",
            format!("The runtime `{}` is switched off in the cluster.", r.name),
            "Choose another, or ask who runs the cluster.",
        ));
    }
}

fn runtime_unsupported(c: &Checked<'_>, out: &mut Out) {
    let (Resolved::Unsupported { runtime, support }, Some(f)) = (&c.runtime, c.view.format())
    else {
        return;
    };
    let name = &runtime.name;
    let said = match support {
        Support::OtherVersion { versions } => said(
            "spec.predictor.model.modelFormat.version",
            format!(
                "The runtime `{name}` supports {} in other versions: {}.",
                f.name,
                versions.join(", ")
            ),
            "Write one of them, or leave the version away.",
        ),
        Support::OtherProtocol { protocols } => said(
            "spec.predictor.model.protocolVersion",
            format!(
                "The runtime `{name}` speaks {}, not {}.",
                protocols.join(", "),
                c.view.protocol().unwrap_or_default()
            ),
            "Write one of them, or leave the protocol away.",
        ),
        Support::No => {
            let has = runtime
                .formats
                .iter()
                .map(|f| f.name.as_str())
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
                .join(", ");
            let other =
                runtime::supporting(c.target.runtimes, c.view.namespace(), &f, c.view.protocol());
            let way = other.first().map_or_else(
                || "Choose a format that it serves.".to_owned(),
                |r| format!("Use the runtime `{}`.", r.name),
            );
            said(
                "spec.predictor.model.runtime",
                format!("The runtime `{name}` does not support {f}; it serves {has}."),
                way,
            )
        }
        Support::OtherCase { .. } | Support::Yes => return,
    };
    out.push(said);
}

fn runtime_chosen(c: &Checked<'_>, out: &mut Out) {
    if let Resolved::Auto(r) = &c.runtime {
        out.push(said("spec.predictor.model.runtime", format!("No runtime is named; KServe would choose `{}` today and may choose another once more are installed.", r.name), format!("Name it: `runtime: {}`.", r.name)));
    }
}

fn protocol_unknown(c: &Checked<'_>, out: &mut Out) {
    if let Some(p) = c
        .view
        .protocol()
        .filter(|p| !matches!(*p, "v1" | "v2" | "grpc-v1" | "grpc-v2"))
    {
        out.push(said(
            "spec.predictor.model.protocolVersion",
            format!("`{p}` is no protocol that KServe knows."),
            "Write v1, v2, grpc-v1 or grpc-v2, or leave it away.",
        ));
    }
}
