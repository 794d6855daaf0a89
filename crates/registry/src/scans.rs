//! Reports that are attached to a digest. Tools call them by many names, so what is not known to be
//! something else is looked into, within limits.

use domain::{
    Micros,
    artifact::{
        ArtifactKind, Descriptor, Document, MAX_REPORT_BYTES, ScanFact, ScanReport, is_trivy,
        parse_trivy,
    },
    ids::Digest,
};

use crate::{client::Client, error::Result};

/// Most reports of one digest that are read.
const MAX_REPORTS: usize = 8;

impl Client {
    /// The newest report among the referrers of a digest and of the manifest that was looked into.
    #[allow(clippy::too_many_arguments)]
    pub(crate) async fn scan(
        &self,
        repository: &str,
        digest: &Digest,
        manifest_digest: &Digest,
        listed: &[Descriptor],
        kind: ArtifactKind,
        now: Micros,
        notes: &mut Vec<String>,
    ) -> Option<ScanFact> {
        let mut reports: Vec<Descriptor> = listed
            .iter()
            .filter(|d| report_kind(d).is_some())
            .cloned()
            .collect();
        if digest != manifest_digest {
            match self.referrers(repository, manifest_digest).await {
                Ok(more) => reports.extend(more.into_iter().filter(|d| report_kind(d).is_some())),
                Err(e) => notes.push(format!(
                    "Reports on the image of one platform could not be listed: {}",
                    e.message()
                )),
            }
        }
        // What is called a report comes before what may be one.
        reports.sort_by_key(|d| report_kind(d) == Some(Report::Perhaps));
        let mut newest: Option<ScanFact> = None;
        for descriptor in reports.iter().take(MAX_REPORTS) {
            let fact = match self.report(repository, descriptor).await {
                Ok(Read::Trivy(report)) => ScanFact::judge(
                    report,
                    kind,
                    &[digest, manifest_digest],
                    Some(descriptor.digest.clone()),
                    now,
                ),
                Ok(Read::Sarif) => ScanFact::not_scannable(
                    "SARIF",
                    "There is a report in SARIF, which is not read; attach Trivy's JSON.",
                    Some(descriptor.digest.clone()),
                ),
                Ok(Read::NoReport) => continue,
                Err(e) => {
                    notes.push(format!("A scan report could not be read: {}", e.message()));
                    continue;
                }
            };
            let newer = newest
                .as_ref()
                .is_none_or(|old| old.report.created < fact.report.created);
            if newer {
                newest = Some(fact);
            }
        }
        newest
    }

    /// What is attached: by its own type, by that of its layer, or by what stands in it.
    async fn report(&self, repository: &str, descriptor: &Descriptor) -> Result<Read> {
        let missing = || domain::artifact::Malformed::new("The scan report", "holds no report");
        let mut called = report_kind(descriptor);
        if called == Some(Report::Sarif) {
            return Ok(Read::Sarif);
        }
        let Document::Manifest(manifest) = self.manifest(repository, &descriptor.digest).await?.1
        else {
            return Err(missing().into());
        };
        let layer = manifest.layers.first();
        if called == Some(Report::Perhaps) {
            called = layer.and_then(|l| kind_of(&l.media_type));
        }
        match called {
            None => return Ok(Read::NoReport),
            Some(Report::Sarif) => return Ok(Read::Sarif),
            Some(Report::Perhaps)
                if layer.is_none_or(|l| l.size > MAX_REPORT_BYTES as u64 || !may_be_json(l)) =>
            {
                return Ok(Read::NoReport);
            }
            Some(Report::Perhaps | Report::Trivy) => {}
        }
        let bytes = self
            .blob(
                repository,
                layer.ok_or_else(missing)?,
                MAX_REPORT_BYTES as u64,
                "The scan report",
            )
            .await?;
        if called == Some(Report::Perhaps) && !is_trivy(&bytes) {
            return Ok(Read::NoReport);
        }
        Ok(Read::Trivy(parse_trivy(&bytes)?))
    }
}

/// Kinds of reports that are attached to images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    Trivy,
    Sarif,
    /// Only what stands in it says so, if it is one.
    Perhaps,
}

/// What was read of something that is attached.
enum Read {
    Trivy(ScanReport),
    Sarif,
    NoReport,
}

fn report_kind(descriptor: &Descriptor) -> Option<Report> {
    kind_of(descriptor.artifact_type.as_deref().unwrap_or_default())
}

/// The kind that a media type names; `None` for what is known to be no report.
fn kind_of(media_type: &str) -> Option<Report> {
    const OTHERS: [&str; 8] = [
        "cosign",
        "sigstore",
        "notary",
        "in-toto",
        "spdx",
        "cyclonedx",
        "syft",
        "sbom",
    ];
    // Trivy's reports are called `…trivy.report+json` and the like by those who attach them.
    if media_type.starts_with("application/vnd.aquasec.trivy.report") {
        Some(Report::Trivy)
    } else if media_type.contains("sarif") {
        Some(Report::Sarif)
    } else if OTHERS.iter().any(|other| media_type.contains(other)) {
        None
    } else {
        Some(Report::Perhaps)
    }
}

fn may_be_json(layer: &Descriptor) -> bool {
    let base = layer.media_type.split(';').next().unwrap_or_default();
    base.ends_with("json")
        || base.starts_with("text/")
        || matches!(base, "" | "application/octet-stream")
        // What `oras attach` says of a file without a type.
        || base == "application/vnd.oci.image.layer.v1.tar"
}

#[cfg(test)]
mod tests {
    use domain::artifact::media_types;

    use super::*;

    #[test]
    fn reports_are_known_by_more_than_one_name() {
        for (media_type, kind) in [
            (media_types::TRIVY_REPORT, Some(Report::Trivy)),
            (
                "application/vnd.aquasec.trivy.report.vulnerabilities.v1+json",
                Some(Report::Trivy),
            ),
            (media_types::SARIF, Some(Report::Sarif)),
            ("application/vnd.example.scan", Some(Report::Perhaps)),
            ("", Some(Report::Perhaps)),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", None),
            ("application/spdx+json", None),
        ] {
            assert_eq!(kind_of(media_type), kind, "{media_type}");
        }
    }
}
