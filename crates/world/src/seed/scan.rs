//! Reports in Trivy's JSON form, attached to what they are about.
//!
//! Reports age, so theirs is the one date in the registry that follows the day on which the world
//! is made: "recent" is two days before it. Findings are real entries of public lists.

use super::artifact::{Artifact, Scan, to_bytes};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const REPORT: &str = "application/vnd.aquasec.trivy.report+json";

/// The report that an artifact is to have, seen from `day` (the beginning of the day on which the
/// world is made).
pub(super) fn report(artifact: &Artifact, host: &str, day: Timestamp) -> Option<Artifact> {
    let (age, findings): (i64, &[usize]) = match artifact.scan {
        Scan::No => return None,
        Scan::Clean => (2, &[]),
        Scan::Minor => (2, &[2, 3, 4]),
        Scan::Critical => (2, &[0, 1, 2, 3, 4]),
        Scan::Stale => (97, &[3]),
    };
    let created = day - SignedDuration::from_hours(24 * age - 4);
    let findings: Vec<Value> = findings.iter().map(|n| finding(&FINDINGS[*n])).collect();
    let name = format!("{host}/{}", artifact.repository);
    let reference = format!("{name}@{}", artifact.digest());
    let report = json!({
        "SchemaVersion": 2,
        "CreatedAt": created.to_string(),
        "Trivy": {"Version": "0.67.2"},
        "ArtifactName": reference,
        "ArtifactType": "container_image",
        "Metadata": {
            "OS": {"Family": "ubuntu", "Name": "22.04"},
            "RepoDigests": [reference],
        },
        "Results": [
            {
                "Target": format!("{name} (ubuntu 22.04)"),
                "Class": "os-pkgs",
                "Type": "ubuntu",
                "Vulnerabilities": findings,
            },
            {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg"},
        ],
    });
    let annotations = json!({"org.opencontainers.image.created": created.to_string()});
    Some(Artifact::referrer(
        artifact,
        REPORT,
        to_bytes(&report),
        &annotations,
    ))
}

/// Identifier, package, installed and fixed version, severity, title.
type Entry = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const FINDINGS: [Entry; 5] = [
    (
        "CVE-2024-3094",
        "liblzma5",
        "5.6.0-0.1",
        "5.6.1+really5.4.5-1",
        "CRITICAL",
        "xz: malicious code in distributed source",
    ),
    (
        "CVE-2023-38408",
        "openssh-client",
        "1:8.9p1-3ubuntu0.1",
        "1:8.9p1-3ubuntu0.3",
        "CRITICAL",
        "openssh: remote code execution in ssh-agent PKCS#11 support",
    ),
    (
        "CVE-2023-4911",
        "libc6",
        "2.35-0ubuntu3.1",
        "2.35-0ubuntu3.4",
        "HIGH",
        "glibc: buffer overflow in ld.so leading to privilege escalation",
    ),
    (
        "CVE-2023-5363",
        "libssl3",
        "3.0.2-0ubuntu1.10",
        "3.0.2-0ubuntu1.12",
        "MEDIUM",
        "openssl: incorrect cipher key and IV length processing",
    ),
    (
        "CVE-2016-2781",
        "coreutils",
        "8.32-4.1ubuntu1",
        "",
        "LOW",
        "coreutils: non-privileged session can escape to the parent session in chroot",
    ),
];

fn finding((id, package, installed, fixed, severity, title): &Entry) -> Value {
    let mut finding = json!({
        "VulnerabilityID": id,
        "PkgName": package,
        "InstalledVersion": installed,
        "Status": if fixed.is_empty() { "affected" } else { "fixed" },
        "Severity": severity,
        "Title": title,
        "PrimaryURL": format!("https://avd.aquasec.com/nvd/{}", id.to_lowercase()),
    });
    if !fixed.is_empty() {
        finding["FixedVersion"] = json!(fixed);
    }
    finding
}
