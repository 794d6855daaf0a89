//! Canaries are predictors: what is asked of the stable one is asked of each of them.

use super::{Checked, Finding, Target, nodes, pod, references, runtimes, secrets};
use crate::isvc::View;

/// Rules that look at the stable predictor alone. (The others look at canaries themselves, or at what
/// a canary does not have.)
fn asked_of_a_canary(rule: &str) -> bool {
    [runtimes::RULES, nodes::RULES, pod::RULES]
        .into_iter()
        .flatten()
        .any(|r| r.name == rule)
        || [secrets::MISSING, references::RUNTIME_SECRET].contains(&rule)
}

/// What those rules say of the canaries, beside the canaries' fields.
pub(super) fn canaries(checked: &Checked<'_>) -> Vec<Finding> {
    let mut out = Vec::new();
    let live = checked.target.live.map(View::new);
    for (i, canary) in checked.view.canaries().iter().enumerate() {
        let alone = checked.view.with_predictor_of(canary);
        // What runs of this canary now, where it runs.
        let live = live.and_then(|live| {
            let there = live.canaries();
            let same = there.iter().find(|c| c.name == canary.name)?;
            Some(live.with_predictor_of(same))
        });
        let target = Target {
            live: live.as_ref(),
            ..*checked.target
        };
        let its_own =
            |text: String| text.replace("spec.predictor", &format!("spec.canary[{i}].predictor"));
        let found = super::apply(&Checked::new(&alone, &target), asked_of_a_canary);
        out.extend(found.into_iter().map(|f| Finding {
            field: its_own(f.field),
            remedy: its_own(f.remedy),
            ..f
        }));
    }
    out
}
