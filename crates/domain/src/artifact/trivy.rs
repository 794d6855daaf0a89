//! Trivy's report in its JSON format, schema version 2.

use serde::Deserialize;

use super::{
    malformed::{Malformed, clean},
    scan::{Finding, ScanReport, Severity},
};
use crate::time::Micros;

/// Largest report that is read.
pub const MAX_REPORT_BYTES: usize = 16 * 1024 * 1024;
/// Findings that are kept, worst first.
const KEPT_FINDINGS: usize = 50;

/// Whether JSON that nothing calls a report is one of Trivy's.
pub fn is_trivy(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[allow(dead_code)]
    struct Shape {
        schema_version: u64,
        results: Vec<serde::de::IgnoredAny>,
    }
    json.len() <= MAX_REPORT_BYTES && serde_json::from_slice::<Shape>(json).is_ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyReport {
    schema_version: Option<u64>,
    created_at: Option<String>,
    artifact_type: Option<String>,
    #[serde(default)]
    trivy: Option<TrivyVersion>,
    #[serde(default)]
    metadata: Option<TrivyMetadata>,
    #[serde(default)]
    results: Option<Vec<TrivyResult>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyVersion {
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyMetadata {
    #[serde(rename = "OS")]
    os: Option<TrivyOs>,
    #[serde(default)]
    repo_digests: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TrivyOs {
    #[serde(rename = "EOSL", default)]
    end_of_life: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyResult {
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    vulnerabilities: Option<Vec<TrivyVulnerability>>,
    #[serde(default)]
    secrets: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyVulnerability {
    #[serde(rename = "VulnerabilityID", default)]
    id: String,
    #[serde(default)]
    pkg_name: String,
    #[serde(default)]
    installed_version: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(rename = "PrimaryURL", default)]
    url: Option<String>,
}

/// Reads a Trivy report in its JSON format, schema version 2.
pub fn parse_trivy(bytes: &[u8]) -> Result<ScanReport, Malformed> {
    let wrong = |problem: String| Malformed::new("The Trivy report", problem);
    if bytes.len() > MAX_REPORT_BYTES {
        return Err(wrong("is larger than 16 MiB".into()));
    }
    let raw: TrivyReport = serde_json::from_slice(bytes).map_err(|e| {
        wrong(format!(
            "is not JSON as Trivy writes it (line {}, column {})",
            e.line(),
            e.column()
        ))
    })?;
    if raw.schema_version != Some(2) {
        return Err(wrong("is not of schema version 2".into()));
    }
    let (repo_digests, end_of_life) = raw
        .metadata
        .map(|m| {
            (
                m.repo_digests.unwrap_or_default(),
                m.os.is_some_and(|os| os.end_of_life),
            )
        })
        .unwrap_or_default();
    let mut report = ScanReport {
        scanner: "Trivy".into(),
        version: raw
            .trivy
            .and_then(|t| t.version)
            .and_then(|v| clean(&v, 50)),
        created: raw.created_at.as_deref().and_then(Micros::parse),
        artifact_type: raw.artifact_type.and_then(|t| clean(&t, 50)),
        about: repo_digests
            .iter()
            .take(50)
            .filter_map(|d| clean(d, 400))
            .collect(),
        end_of_life,
        ..ScanReport::default()
    };
    for result in raw.results.unwrap_or_default() {
        if matches!(
            result.class.as_deref(),
            None | Some("os-pkgs" | "lang-pkgs")
        ) {
            report.targets = report.targets.saturating_add(1);
        }
        report.secrets = report
            .secrets
            .saturating_add(result.secrets.map_or(0, |s| s.len() as u32));
        for raw in result.vulnerabilities.unwrap_or_default() {
            let finding = finding(raw);
            report.summary.count(finding.severity);
            if finding.fixed.is_some() {
                report.summary.fixable = report.summary.fixable.saturating_add(1);
            }
            report.findings.push(finding);
        }
    }
    report.findings.sort_by(|a, b| {
        let fixable_first = b.fixed.is_some().cmp(&a.fixed.is_some());
        b.severity
            .cmp(&a.severity)
            .then(fixable_first)
            .then_with(|| a.id.cmp(&b.id))
            .then_with(|| a.package.cmp(&b.package))
    });
    report.findings.truncate(KEPT_FINDINGS);
    Ok(report)
}

fn finding(raw: TrivyVulnerability) -> Finding {
    Finding {
        id: clean(&raw.id, 60).unwrap_or_else(|| "unnamed".into()),
        severity: Severity::from_trivy(&raw.severity),
        package: clean(&raw.pkg_name, 120).unwrap_or_default(),
        installed: clean(&raw.installed_version, 80).unwrap_or_default(),
        fixed: raw.fixed_version.and_then(|v| clean(&v, 80)),
        title: raw.title.and_then(|t| clean(&t, 300)),
        url: raw
            .url
            .and_then(|u| clean(&u, 500))
            .filter(|u| u.starts_with("https://")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_report_is_refused() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"SchemaVersion":1}"#,
            r#"{"SchemaVersion":2,"Results":{}}"#,
        ] {
            assert!(parse_trivy(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let _ = parse_trivy(text.as_bytes());
        }
    }
}
