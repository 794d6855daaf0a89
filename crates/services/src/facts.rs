//! What the catalogue knows about the things that a manifest refers to.

use crate::{Ctx, ports::*};
use domain::{
    Result,
    artifact::{ArtifactAddress, PickleState, Servability, servability},
    change::SeenFact,
    ids::Digest,
    isvc::View,
    observed::ClusterFacts,
};

/// How a cluster could serve a version, pinned by digest.
pub fn serving(
    model: &ModelRow,
    version: &VersionRow,
    registry_url: &str,
    facts: Option<&ClusterFacts>,
) -> Servability {
    let address = ArtifactAddress {
        host: registry_url
            .split_once("://")
            .map_or(registry_url, |(_, h)| h)
            .to_owned(),
        repository: model.repository.clone(),
        digest: version.digest.clone(),
    };
    servability(
        &address,
        version.kind,
        &version.facts,
        facts.unwrap_or(&ClusterFacts::default()),
    )
}

/// The digest at the end of a reference (`…@sha256:…`).
pub fn digest_of(reference: &str) -> Option<Digest> {
    reference.rsplit_once('@').and_then(|(_, d)| d.parse().ok())
}

/// The catalogue's version that a manifest's source names by digest.
pub async fn version_of(ctx: &Ctx, view: &View<'_>) -> Result<Option<(ModelRow, VersionRow)>> {
    let Some(digest) = digest_of(view.source()) else {
        return Ok(None);
    };
    let found = ctx.store.versions_by_digest(&digest).await?;
    let named = found
        .iter()
        .position(|(m, _)| view.source().contains(&m.repository));
    Ok(found.into_iter().nth(named.unwrap_or(0)))
}

/// The facts about a version as a decision sees them; what is not known is said to be unknown.
pub fn seen(version: Option<&(ModelRow, VersionRow)>, now: domain::Micros) -> Vec<SeenFact> {
    let fact = |kind: &str, state: &str, summary: String, observed_at| SeenFact {
        kind: kind.into(),
        state: state.into(),
        summary,
        observed_at,
    };
    let Some((_, v)) = version else {
        let why = "The catalogue does not know this source by digest.";
        return ["signature", "scan", "model-files"]
            .map(|k| fact(k, "unknown", why.into(), None))
            .to_vec();
    };
    let at = Some(v.observed_at);
    let signature = match v.signature.name() {
        "verified" => "pass",
        "unknown" => "unknown",
        _ => "fail",
    };
    vec![
        fact("signature", signature, v.signature.sentence(), at),
        match &v.scan {
            Some(s) => fact("scan", s.state_at(now).name(), s.reason.clone(), at),
            None => fact(
                "scan",
                "unknown",
                "No scan report is attached to this digest.".into(),
                at,
            ),
        },
        match &v.pickle {
            Some(p) => {
                let bad: Vec<String> = p
                    .dangerous()
                    .map(|f| format!("{} imports {}", f.file, f.import))
                    .collect();
                let summary = match p.state {
                    PickleState::Fail => {
                        format!("Pickle files that can run code: {}.", bad.join(", "))
                    }
                    PickleState::Pass => {
                        "Pickle files import only what is known to be harmless.".into()
                    }
                    PickleState::Unknown => {
                        "Pickle files import things that are not known to be harmless.".into()
                    }
                    PickleState::NotScannable => {
                        "There are pickle files, and not all files could be read to the end.".into()
                    }
                };
                fact("model-files", p.state.name(), summary, at)
            }
            None if v.facts.files.complete => fact(
                "model-files",
                "pass",
                "It holds no pickle files.".into(),
                at,
            ),
            None => fact(
                "model-files",
                "unknown",
                "Its files could not all be listed.".into(),
                at,
            ),
        },
    ]
}
