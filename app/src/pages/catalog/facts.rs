//! Facts about a version in words: amounts, labels, and the whole list of them.

use crate::{components::*, load::now};
use domain::artifact::{
    ModelFacts, PickleFact, PickleState, ScanFact, ScanState, SeveritySummary, SignatureFact,
};
use leptos::prelude::*;
use services::ports::VersionRow;

/// Bytes in the unit that says enough: `4.9 GiB`, `310 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 || amount >= 100.0 {
        format!("{amount:.0} {}", UNITS[unit])
    } else {
        format!("{amount:.1} {}", UNITS[unit])
    }
}

/// A number of parameters as people say it: `8.03 B`, `335 M`.
pub fn parameters(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n >= 1e12 => format!("{:.2} T", n / 1e12),
        n if n >= 1e9 => format!("{:.2} B", n / 1e9),
        n if n >= 1e6 => format!("{:.0} M", n / 1e6),
        n if n >= 1e3 => format!("{:.0} k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// A number of tokens: `131072` → `128 k`.
pub fn context(tokens: u64) -> String {
    if tokens >= 1024 && tokens.is_multiple_of(1024) {
        format!("{} k", tokens / 1024)
    } else {
        tokens.to_string()
    }
}

/// The fact's word and how it stands, for a filter's value or a label.
pub fn signature_words(name: &str) -> (Tone, &'static str) {
    match name {
        "verified" => (Tone::Good, "signed"),
        "unsigned" => (Tone::Warn, "not signed"),
        "untrusted" => (Tone::Bad, "not a trusted key"),
        _ => (Tone::Quiet, "unknown"),
    }
}

pub fn scan_words(name: &str) -> (Tone, &'static str) {
    match name {
        "pass" => (Tone::Good, "nothing critical"),
        "fail" => (Tone::Bad, "critical findings"),
        "not-scannable" => (Tone::Warn, "not scannable"),
        "stale" => (Tone::Warn, "report is old"),
        _ => (Tone::Quiet, "no report"),
    }
}

fn pickle_words(state: PickleState) -> (Tone, &'static str) {
    match state {
        PickleState::Pass => (Tone::Good, "only known imports"),
        PickleState::Unknown => (Tone::Warn, "unknown imports"),
        PickleState::NotScannable => (Tone::Warn, "could not be read"),
        PickleState::Fail => (Tone::Bad, "can run code"),
    }
}

pub fn signature_label(fact: &SignatureFact) -> AnyView {
    let (tone, text) = signature_words(fact.name());
    view! { <Label tone=tone text=text /> }.into_any()
}

/// The scan as it stands now: what passed long ago is old.
pub fn scan_label(fact: Option<&ScanFact>) -> AnyView {
    let state = fact.map_or("unknown", |f| f.state_at(now()).name());
    let (tone, text) = scan_words(state);
    let severe = fact
        .map(|f| f.report.summary)
        .filter(|s| s.critical + s.high > 0)
        .map(|s| view! { <div class="gh-muted gh-small">{severities(s)}</div> });
    view! { <Label tone=tone text=text />{severe} }.into_any()
}

/// What a kind of fact is called, wherever one stands.
pub fn fact_words(kind: &str) -> &str {
    match kind {
        "signature" => "Signature",
        "scan" => "Scan",
        "model-files" => "Model files",
        other => other,
    }
}

/// Signature, scan and pickles of a version, one below the other.
pub fn checks(v: &VersionRow) -> AnyView {
    view! {
        <ul class="gh-plain-list gh-stack-tight gh-checks" role="list">
            <li><span class="gh-muted gh-small">{fact_words("signature")}" "</span>{signature_label(&v.signature)}</li>
            <li><span class="gh-muted gh-small">{fact_words("scan")}" "</span>{scan_label(v.scan.as_ref())}</li>
            {v.pickle.as_ref().map(|p| view! { <li>{pickle_label(p)}</li> })}
        </ul>
    }
    .into_any()
}

/// Loading these files runs what is in them.
pub fn pickle_label(fact: &PickleFact) -> AnyView {
    let (tone, text) = pickle_words(fact.state);
    view! { <Label tone=tone text=format!("pickle: {text}") /> }.into_any()
}

fn severities(s: SeveritySummary) -> String {
    [
        (s.critical, "critical"),
        (s.high, "high"),
        (s.medium, "medium"),
        (s.low, "low"),
        (s.unknown, "unknown"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect::<Vec<_>>()
    .join(", ")
}

/// Everything that is known of a model, and "unknown" where nothing is.
pub fn all(v: &VersionRow) -> AnyView {
    let f: &ModelFacts = &v.facts;
    let list = |items: &[String]| known((!items.is_empty()).then(|| items.join(", ")));
    let quantisation = match f.quantisation.as_deref() {
        Some("none") => Some(format!(
            "none{}",
            f.dtype
                .as_deref()
                .map(|d| format!(" ({d})"))
                .unwrap_or_default()
        )),
        other => other.map(str::to_owned),
    };
    let mut pairs = vec![
        ("Task", known(f.task.clone())),
        ("Artifact", v.kind.label().into_any()),
        (
            "Format",
            known(f.format.as_ref().map(|x| x.label().to_owned())),
        ),
        ("Runtime formats", list(&f.runtime_formats)),
        ("Architecture", known(f.architecture.clone())),
        ("Parameters", known(f.parameters.map(parameters))),
        ("Quantisation", known(quantisation)),
        ("Weights", known(f.dtype.clone())),
        (
            "Context length",
            known(f.context_length.map(|n| format!("{} tokens", context(n)))),
        ),
        ("Licence", known(f.licence.clone())),
        ("Languages", list(&f.languages)),
        ("Made from", list(&f.base_models)),
        ("Author’s version", known(f.version.clone())),
        ("Model files", known(f.size_bytes.map(size))),
        ("Artifact as stored", known(f.artifact_bytes.map(size))),
        ("Platforms", list(&v.platforms)),
    ];
    if v.kind == domain::artifact::ArtifactKind::ServingImage {
        pairs.push(("Server", known(f.server.clone())));
        pairs.push(("Port", known(f.port.map(|p| p.to_string()))));
    }
    pairs.extend([
        (
            "Built",
            v.created_at.map_or_else(
                || known(None),
                |t| view! { <When at=t exact=true /> }.into_any(),
            ),
        ),
        (
            "First seen here",
            view! { <When at=v.first_seen exact=true /> }.into_any(),
        ),
        ("Facts read", view! { <When at=v.observed_at /> }.into_any()),
    ]);
    terms(pairs)
}

/// Who signed it, against the keys that the configuration trusts.
pub fn signature(v: &VersionRow) -> AnyView {
    let by: Vec<AnyView> = match &v.signature {
        SignatureFact::Verified { by } => by
            .iter()
            .cloned()
            .map(|b| {
                view! { <li>{b.key}<span class="gh-muted">{format!(" ({})", b.format)}</span></li> }
                    .into_any()
            })
            .collect(),
        _ => Vec::new(),
    };
    let keys = (!by.is_empty()).then(|| view! { <ul class="pf-v6-c-list">{by}</ul> });
    card(
        fact_words("signature"),
        view! { <p>{signature_label(&v.signature)}" "{v.signature.sentence()}</p>{keys} },
    )
}

/// Files that run code, where there are any.
pub fn pickles(v: &VersionRow) -> Option<AnyView> {
    v.pickle
        .as_ref()
        .map(|p| card("Files that run code when they are loaded", pickle(p)))
}

/// The scan report with its worst findings.
pub fn scan(fact: Option<&ScanFact>) -> AnyView {
    let Some(f) = fact else {
        return view! { <p><Label tone=Tone::Quiet text="no report" />" No scan report is attached to this version. That is not the same as “nothing found”: attach a Trivy report to the digest and sync the registry."</p> }.into_any();
    };
    let r = &f.report;
    let state = f.state_at(now());
    let (tone, word) = scan_words(state.name());
    let reason = if state == ScanState::Stale && f.state != ScanState::Stale {
        "The report is more than 30 days old; scan again.".to_owned()
    } else {
        f.reason.clone()
    };
    let made = r.created.map(|t| view! { ", "<When at=t /> });
    let scanner = format!(
        "{}{}",
        if r.scanner.is_empty() {
            "Unknown scanner"
        } else {
            &r.scanner
        },
        r.version
            .as_deref()
            .map(|v| format!(" {v}"))
            .unwrap_or_default()
    );
    let summary = if r.summary.total() == 0 {
        "No findings in the report.".to_owned()
    } else {
        format!(
            "{}; {} of them can be fixed.",
            severities(r.summary),
            r.summary.fixable
        )
    };
    let rows: Vec<AnyView> = r
        .findings
        .iter()
        .cloned()
        .map(|x| {
            let tone = match x.severity {
                domain::artifact::Severity::Critical => Tone::Bad,
                domain::artifact::Severity::High => Tone::Warn,
                _ => Tone::Quiet,
            };
            let id = match x.url {
                Some(url) => view! { <a href=url rel="noopener noreferrer">{x.id}</a> }.into_any(),
                None => x.id.into_any(),
            };
            row(vec![
                ("Finding", view! { <div class="gh-wide">{id}{x.title.map(|t| view! { <div class="gh-muted gh-small">{t}</div> })}</div> }.into_any()),
                ("Severity", view! { <Label tone=tone text=x.severity.label() /> }.into_any()),
                ("Package", x.package.into_any()),
                ("Installed", x.installed.into_any()),
                ("Fixed in", x.fixed.unwrap_or_else(|| "no fix yet".into()).into_any()),
            ])
        })
        .collect();
    let shown = rows.len();
    let findings = (shown > 0).then(|| {
        let more = (r.summary.total() as usize > shown).then(|| view! { <p class="gh-muted">{format!("The {shown} worst of {}.", r.summary.total())}</p> });
        view! { {table("Findings", &["Finding", "Severity", "Package", "Installed", "Fixed in"], rows)}{more} }
    });
    view! {
        <p><Label tone=tone text=word />" "{reason}</p>
        <p>{summary}" "<span class="gh-muted">{scanner}{made}</span></p>
        {(r.secrets > 0).then(|| view! { <p>{format!("{} secrets were found in its files.", r.secrets)}</p> })}
        {r.end_of_life.then_some(view! { <p>"Its operating system gets no fixes any more."</p> })}
        {findings}
    }
    .into_any()
}

fn pickle(fact: &PickleFact) -> AnyView {
    let rows = fact
        .files
        .iter()
        .cloned()
        .map(|f| {
            let (tone, word) = pickle_words(f.state);
            let imports: Vec<AnyView> = f
                .findings
                .into_iter()
                .map(|i| {
                    let how = if i.dangerous {
                        " — can run commands, read files or reach the network"
                    } else {
                        " — not on the list of harmless ones"
                    };
                    view! { <li><code>{i.import}</code>{how}</li> }.into_any()
                })
                .collect();
            let imports =
                (!imports.is_empty()).then(|| view! { <ul class="pf-v6-c-list">{imports}</ul> });
            row(vec![
                (
                    "File",
                    view! { <code class="gh-hash">{f.file}</code> }.into_any(),
                ),
                ("State", view! { <Label tone=tone text=word /> }.into_any()),
                ("Why", view! { {f.reason}{imports} }.into_any()),
            ])
        })
        .collect();
    view! {
        <p>"A pickle is a program: whoever loads the model runs it."</p>
        {table("Files that run code when they are loaded", &["File", "State", "Why"], rows)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_right() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(16 << 30), "16.0 GiB");
        assert_eq!(size(310 << 20), "310 MiB");
        assert_eq!(parameters(8_030_261_248), "8.03 B");
        assert_eq!(parameters(335_000_000), "335 M");
        assert_eq!(context(131_072), "128 k");
        assert_eq!(context(512), "512");
    }
}
