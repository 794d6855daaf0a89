//! The pages that are measured, and how long each takes.

use super::load::{self, Load};
use super::report::{Goal, Report};
use crate::Result;
use crate::progress::Progress;
use std::time::Duration;

/// Pages whose address is known. Names as a person knows them.
const LISTS: [(&str, &str); 9] = [
    ("overview", "/"),
    ("catalogue", "/catalog"),
    ("deployments", "/deployments"),
    ("approvals", "/approvals"),
    ("requests", "/requests"),
    ("changes", "/changes"),
    ("registries", "/registries"),
    ("clusters", "/clusters"),
    ("audit", "/audit"),
];

/// The deployment that changes are asked for; the script gives it a past.
const CHANGED: &str = "/deployments/onprem-1/research-dev/iris";
/// Its pages: the name, and what follows in the address.
const OF_CHANGED: [(&str, &str); 6] = [
    ("changed deployment", ""),
    ("revisions of it", "?tab=revisions"),
    ("pods and events of it", "?tab=pods"),
    ("changes of it", "?tab=changes"),
    ("YAML of it", "?tab=yaml"),
    ("scale it", "/scale"),
];

/// Steps of the wizard, by name in the address.
const STEPS: [(&str, &str); 5] = [
    ("wizard, use", "use"),
    ("wizard, source", "source"),
    ("wizard, target", "target"),
    ("wizard, resources", "resources"),
    ("wizard, review", "review"),
];

/// Pages of one thing: the page that leads to it, by name, and how the address of the first such link begins.
const DETAILS: [(&str, &str, &str); 8] = [
    ("model", "catalogue", "/catalog/models/"),
    ("version", "model", "/catalog/versions/"),
    ("deployment", "deployments", "/deployments/"),
    (
        "roll it back",
        "revisions of it",
        "/deployments/onprem-1/research-dev/iris/rollback/",
    ),
    ("change", "changes", "/changes/"),
    ("registry", "registries", "/registries/"),
    ("cluster", "clusters", "/clusters/"),
    ("record", "audit", "/audit/"),
];

/// The page that is the baseline of the others: what the server takes to answer at all.
const BASELINE: &str = "/healthz";
const CONNECTIONS: usize = 4;
const DURATION: Duration = Duration::from_secs(3);

/// The console whose pages are measured, and who looks at them.
pub struct Pages<'a> {
    /// Where it listens.
    pub listen: &'a str,
    /// Of somebody who is signed in.
    pub cookie: &'a str,
    /// Where their draft is, a change of the changed deployment: `/deploy/<id>`.
    pub draft: &'a str,
    /// Where it is told what is measured.
    pub progress: &'a Progress,
}

impl Pages<'_> {
    /// Measures each; `goals`: with those that are set.
    ///
    /// # Errors
    /// When a page is not answered, or none leads to another.
    pub fn measure(&self, rows: usize, goals: bool, report: &mut Report) -> Result<()> {
        let measure =
            |path: &str| load::measure(self.listen, path, self.cookie, CONNECTIONS, DURATION);
        let base = measure(BASELINE)?;
        for (name, path) in self.all()? {
            self.progress
                .say("bench", format_args!("{name} at {rows} rows"));
            let load = measure(&path)?;
            // The goals are set for the list of deployments, the longest that a console shows.
            let goals = goals && name == "deployments";
            let what = format!("{name}, {rows} rows, {} kB", load.bytes / 1000);
            page(report, &what, load, base, goals);
        }
        Ok(())
    }

    /// Names and addresses.
    fn all(&self) -> Result<Vec<(&'static str, String)>> {
        let lists = LISTS.iter().map(|(name, path)| (*name, (*path).to_owned()));
        let changed = OF_CHANGED
            .iter()
            .map(|(name, rest)| (*name, format!("{CHANGED}{rest}")));
        let steps = STEPS
            .iter()
            .map(|(name, step)| (*name, format!("{}/{step}", self.draft)));
        let mut all: Vec<_> = lists.chain(changed).chain(steps).collect();
        for (name, list, begins) in DETAILS {
            let page = all.iter().find(|(name, _)| *name == list);
            let (_, page) = page.ok_or_else(|| format!("no page {list}"))?;
            all.push((name, self.first_link(page, begins)?));
        }
        Ok(all)
    }

    /// The first link of a page whose address begins so.
    fn first_link(&self, list: &str, begins: &str) -> Result<String> {
        let text = load::page(self.listen, list, self.cookie)?;
        link_in(&text, begins).ok_or_else(|| format!("{list} has no link to {begins}…"))
    }
}

/// The first link of a page's main part whose address begins so; what a page offers to download is none.
fn link_in(page: &str, begins: &str) -> Option<String> {
    let main = page.split_once("<main").map_or(page, |(_, main)| main);
    main.split("href=\"").skip(1).find_map(|rest| {
        let link = rest.split('"').next()?.replace("&amp;", "&");
        let more = link.strip_prefix(begins)?;
        let download = ["export", "evidence"].iter().any(|d| more.starts_with(d));
        (!download).then_some(link)
    })
}

fn page(report: &mut Report, what: &str, load: Load, base: Load, goals: bool) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let (slow, rate) = if goals {
        (Goal::AtMost(20.0), Goal::AtLeast(1000.0))
    } else {
        (Goal::None, Goal::None)
    };
    report.add(
        &format!("{what}: p50"),
        milliseconds(load.p50),
        "ms",
        Some(milliseconds(base.p50)),
        Goal::None,
    );
    report.add(
        &format!("{what}: p99"),
        milliseconds(load.p99),
        "ms",
        Some(milliseconds(base.p99)),
        slow,
    );
    report.add(
        &format!("{what}: requests"),
        load.per_second,
        "1/s",
        Some(base.per_second),
        rate,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_the_main_part_is_found_and_no_download() {
        let page = r#"<nav><a href="/audit/1"></a></nav><main><a href="/audit/export?a=1&amp;b=2"></a><a href="/audit/evidence"></a><a href="/audit/7?a=1&amp;b=2"></a></main>"#;
        assert_eq!(
            link_in(page, "/audit/").as_deref(),
            Some("/audit/7?a=1&b=2")
        );
        assert_eq!(link_in(page, "/changes/"), None);
    }
}
