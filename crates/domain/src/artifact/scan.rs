//! Vulnerability reports. A report that says nothing is not a report that says "nothing found":
//! there are four states, and "not scannable" is one of them (trivy#9053: Trivy answers "no
//! vulnerabilities" for artifacts that it cannot look into).

use serde::{Deserialize, Serialize};

use super::kind::ArtifactKind;
use crate::{ids::Digest, time::Micros};

/// Age from which a report is stale: new weaknesses become known every day.
pub const STALE_AFTER_MICROS: i64 = 30 * Micros::DAY;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The scanner does not say.
    Unknown,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    pub(super) fn from_trivy(text: &str) -> Self {
        match text {
            "CRITICAL" => Self::Critical,
            "HIGH" => Self::High,
            "MEDIUM" => Self::Medium,
            "LOW" => Self::Low,
            _ => Self::Unknown,
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::High => "High",
            Self::Medium => "Medium",
            Self::Low => "Low",
            Self::Unknown => "Unknown",
        }
    }
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeveritySummary {
    /// Critical findings.
    pub critical: u32,
    /// High findings.
    pub high: u32,
    /// Medium findings.
    pub medium: u32,
    /// Low findings.
    pub low: u32,
    /// Findings without a severity.
    pub unknown: u32,
    /// Those of all that have a fixed version.
    pub fixable: u32,
}

impl SeveritySummary {
    /// All findings.
    pub fn total(&self) -> u32 {
        [
            self.critical,
            self.high,
            self.medium,
            self.low,
            self.unknown,
        ]
        .into_iter()
        .fold(0, u32::saturating_add)
    }

    pub(super) fn count(&mut self, severity: Severity) {
        let field = match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Unknown => &mut self.unknown,
        };
        *field = field.saturating_add(1);
    }
}

/// One vulnerability in one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `CVE-2026-1234`.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// The package.
    pub package: String,
    /// The version that is installed.
    pub installed: String,
    /// The version that mends it.
    pub fixed: Option<String>,
    /// What it is.
    pub title: Option<String>,
    /// Where it is described; only `https` addresses are kept.
    pub url: Option<String>,
}

/// What a report says, before any judgement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanReport {
    /// `Trivy`.
    pub scanner: String,
    /// The scanner's version.
    pub version: Option<String>,
    /// When it was made.
    pub created: Option<Micros>,
    /// What the scanner took the artifact for: `container_image`.
    pub artifact_type: Option<String>,
    /// How many package lists it looked at. Zero means that it saw nothing to judge.
    pub targets: u32,
    /// Digests that the report says it is about.
    pub about: Vec<String>,
    /// Findings by severity.
    pub summary: SeveritySummary,
    /// Secrets that were found in files.
    pub secrets: u32,
    /// The worst findings.
    pub findings: Vec<Finding>,
    /// The operating system gets no fixes any more.
    pub end_of_life: bool,
}

/// The four states of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScanState {
    /// Looked at, nothing critical.
    Pass,
    /// Looked at, something critical.
    Fail,
    /// The report cannot say anything about this artifact.
    NotScannable,
    /// The report is too old to count.
    Stale,
}

impl ScanState {
    /// The name in URLs, SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotScannable => "not-scannable",
            Self::Stale => "stale",
        }
    }
}

/// A scan of one digest, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanFact {
    /// The state when it was judged.
    pub state: ScanState,
    /// Why, in a sentence.
    pub reason: String,
    /// The report.
    pub report: ScanReport,
    /// Digest of the report's bytes, so that it can be found again.
    pub report_digest: Option<Digest>,
}

impl ScanFact {
    /// Judges a report. `digests` are those of the artifact: of the image, and of the index that
    /// it was taken from.
    pub fn judge(
        report: ScanReport,
        kind: ArtifactKind,
        digests: &[&Digest],
        report_digest: Option<Digest>,
        now: Micros,
    ) -> Self {
        let (state, reason) = verdict(&report, kind, digests, now);
        Self {
            state,
            reason,
            report,
            report_digest,
        }
    }

    /// A report that is there and cannot be used.
    pub fn not_scannable(
        scanner: &str,
        reason: impl Into<String>,
        report_digest: Option<Digest>,
    ) -> Self {
        Self {
            state: ScanState::NotScannable,
            reason: reason.into(),
            report: ScanReport {
                scanner: scanner.into(),
                ..ScanReport::default()
            },
            report_digest,
        }
    }

    /// The state at another time: what passed then may be stale now. A failure stays a failure.
    pub fn state_at(&self, now: Micros) -> ScanState {
        match (self.state, self.report.created) {
            (ScanState::Pass, Some(created)) if now.since(created) > STALE_AFTER_MICROS => {
                ScanState::Stale
            }
            (state, _) => state,
        }
    }
}

fn verdict(
    report: &ScanReport,
    kind: ArtifactKind,
    digests: &[&Digest],
    now: Micros,
) -> (ScanState, String) {
    let image = matches!(
        kind,
        ArtifactKind::ModelImage
            | ArtifactKind::ServingImage
            | ArtifactKind::OtherImage
            | ArtifactKind::Unknown
    );
    let is_about = |d: &&Digest| report.about.iter().any(|about| about.ends_with(d.as_str()));
    if !report.about.is_empty() && !digests.iter().any(is_about) {
        return (
            ScanState::NotScannable,
            "The report is attached here but speaks of another digest.".into(),
        );
    }
    if report.summary.critical > 0 {
        let number = report.summary.critical;
        return (
            ScanState::Fail,
            format!(
                "{number} critical {}.",
                if number == 1 { "finding" } else { "findings" }
            ),
        );
    }
    if report.secrets > 0 {
        return (
            ScanState::Fail,
            "The scanner found secrets in the files.".into(),
        );
    }
    if !image {
        return (
            ScanState::NotScannable,
            format!(
                "{} looks into container images; it cannot see what a {} holds.",
                report.scanner,
                kind.label()
            ),
        );
    }
    if report
        .artifact_type
        .as_deref()
        .is_some_and(|t| t != "container_image")
    {
        return (
            ScanState::NotScannable,
            "The scanner did not look at it as a container image.".into(),
        );
    }
    if report.targets == 0 {
        return (
            ScanState::NotScannable,
            "The scanner found no packages that it could judge.".into(),
        );
    }
    match report.created {
        None => (
            ScanState::Stale,
            "The report does not say when it was made.".into(),
        ),
        Some(created) if now.since(created) > STALE_AFTER_MICROS => (
            ScanState::Stale,
            format!("The report is {} old.", created.ago(now)),
        ),
        Some(_) if report.summary.total() == 0 => {
            (ScanState::Pass, "No vulnerabilities found.".into())
        }
        Some(_) => (ScanState::Pass, "No critical findings.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::parse_trivy;

    const NOW: Micros = Micros(1_800_000_000_000_000);

    fn report(results: &str, created: &str, kind: &str) -> ScanReport {
        parse_trivy(
            format!(r#"{{"SchemaVersion":2,"CreatedAt":"{created}","ArtifactType":"{kind}","Results":{results}}}"#).as_bytes(),
        )
        .unwrap()
    }

    fn state(report: ScanReport, kind: ArtifactKind) -> ScanState {
        ScanFact::judge(report, kind, &[], None, NOW).state
    }

    const CLEAN: &str = r#"[{"Target":"x","Class":"os-pkgs"}]"#;
    const CRITICAL: &str = r#"[{"Class":"os-pkgs","Vulnerabilities":[
        {"VulnerabilityID":"CVE-1","PkgName":"a","InstalledVersion":"1","Severity":"LOW","PrimaryURL":"javascript:alert(1)"},
        {"VulnerabilityID":"CVE-2","PkgName":"b","InstalledVersion":"1","FixedVersion":"2","Severity":"CRITICAL","Title":"t"}]}]"#;

    #[test]
    fn the_four_states_are_told_apart() {
        let fresh = NOW.plus(-Micros::DAY).rfc3339();
        let old = NOW.plus(-40 * Micros::DAY).rfc3339();
        let image = ArtifactKind::ModelImage;
        assert_eq!(
            state(report(CLEAN, &fresh, "container_image"), image),
            ScanState::Pass
        );
        assert_eq!(
            state(report(CRITICAL, &fresh, "container_image"), image),
            ScanState::Fail
        );
        assert_eq!(
            state(report(CRITICAL, &old, "container_image"), image),
            ScanState::Fail
        );
        assert_eq!(
            state(report(CLEAN, &old, "container_image"), image),
            ScanState::Stale
        );
        assert_eq!(
            state(report(CLEAN, "", "container_image"), image),
            ScanState::Stale
        );
        assert_eq!(
            state(report("null", &fresh, "container_image"), image),
            ScanState::NotScannable
        );
        assert_eq!(
            state(report(CLEAN, &fresh, "filesystem"), image),
            ScanState::NotScannable
        );
        assert_eq!(
            state(
                report(CLEAN, &fresh, "container_image"),
                ArtifactKind::KitOps
            ),
            ScanState::NotScannable
        );
    }

    #[test]
    fn what_passed_becomes_stale() {
        let fact = ScanFact::judge(
            report(CLEAN, &NOW.rfc3339(), "container_image"),
            ArtifactKind::ModelImage,
            &[],
            None,
            NOW,
        );
        assert_eq!(fact.state_at(NOW.plus(29 * Micros::DAY)), ScanState::Pass);
        assert_eq!(fact.state_at(NOW.plus(31 * Micros::DAY)), ScanState::Stale);
    }

    #[test]
    fn a_report_about_something_else_does_not_count() {
        let mut clean = report(CLEAN, &NOW.rfc3339(), "container_image");
        let other = Digest::of(b"other");
        let own = Digest::of(b"own");
        clean.about = vec![format!("registry/repo@{other}")];
        assert_eq!(
            ScanFact::judge(clean.clone(), ArtifactKind::ModelImage, &[&own], None, NOW).state,
            ScanState::NotScannable
        );
        assert_eq!(
            ScanFact::judge(clean, ArtifactKind::ModelImage, &[&own, &other], None, NOW).state,
            ScanState::Pass
        );
    }

    #[test]
    fn the_worst_findings_come_first_and_links_are_safe() {
        let report = report(CRITICAL, "2026-01-01T00:00:00Z", "container_image");
        assert_eq!(report.findings[0].id, "CVE-2");
        assert_eq!(report.findings[1].url, None);
        assert_eq!(
            (
                report.summary.total(),
                report.summary.critical,
                report.summary.fixable
            ),
            (2, 1, 1)
        );
    }
}
