//! The list over all clusters.

use super::{age, approval_label};
use crate::{
    components::*,
    load::{load, refuse_filter},
    query::Query,
};
use domain::{Result, page::Page, state::Code};
use leptos::prelude::*;
use services::{
    deployments::{DeploymentList, DeploymentRow},
    ports::RowFilter,
};

const COLUMNS: [&str; 8] = [
    "Deployment",
    "State",
    "Where",
    "Content",
    "Replicas",
    "GPUs",
    "Model",
    "As of",
];

/// The filter of an address. Errors: a state that is none.
fn filter_of(query: &Query) -> Result<RowFilter> {
    Ok(RowFilter {
        clusters: query.all("cluster"),
        namespaces: query.all("namespace"),
        units: query.all("unit"),
        environments: query.all("environment"),
        states: query.each("state", "state of a deployment", Code::from_name)?,
        text: query.get("q").map(str::to_owned),
        unhealthy: query.get("unhealthy").is_some(),
        ..Default::default()
    })
}

#[component]
pub fn DeploymentsPage() -> impl IntoView {
    let query = Query::current();
    let after = query.get("after").map(str::to_owned);
    let filter = filter_of(&query).inspect_err(refuse_filter).ok();
    load(
        |s, c| async move {
            let cursor = s.deployments.cursor().to_string();
            let list = match filter {
                Some(filter) => {
                    s.deployments
                        .list(&c, &filter, after.as_deref(), 50)
                        .await?
                }
                // What there is to choose from, and no row.
                None => DeploymentList {
                    page: Page::empty(),
                    ..s.deployments
                        .list(&c, &RowFilter::default(), None, 1)
                        .await?
                },
            };
            Ok((list, cursor))
        },
        move |(list, cursor)| page(list, cursor, query),
    )
}

fn page(list: DeploymentList, cursor: String, query: Query) -> AnyView {
    let away: Vec<AnyView> = list
        .clusters
        .iter()
        .filter(|c| !c.reachable)
        .cloned()
        .map(|c| {
            let since = c
                .as_of
                .map(|t| view! { " Its rows are what it last said, "<When at=t />"." });
            alert(
                Tone::Warn,
                format!("Cluster {} is away", c.name),
                view! { <p>{c.problem}{since}</p> },
            )
        })
        .collect();
    let option = |v: &str, w: &str| (v.to_owned(), w.to_owned());
    let clusters = std::iter::once(option("", "All clusters"))
        .chain(list.clusters.iter().map(|c| option(&c.name, &c.name)))
        .collect();
    let states = std::iter::once(option("", "All states"))
        .chain(Code::ALL.into_iter().map(|s| {
            let n = list.counts.get(&s).copied().unwrap_or(0);
            (s.name().to_owned(), format!("{} ({n})", state_label(s).1))
        }))
        .collect();
    let units = std::iter::once(option("", "All business units"))
        .chain(list.units.iter().map(|u| option(u, u)))
        .collect();
    let environments = ["", "development", "staging", "production"]
        .map(|e| option(e, if e.is_empty() { "All environments" } else { e }))
        .to_vec();
    let total: usize = list.counts.values().sum();
    let shown = list.page.rows.len();
    let now = list.now;
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    view! {
        <PageHeader title="Deployments"
            subtitle=view! { {format!("{total} that you may see · ")}<a href=query.with("unhealthy", if query.get("unhealthy").is_some() { "" } else { "1" })>{if query.get("unhealthy").is_some() { "Show all" } else { "Only what is not well" }}</a>" · as of "<When at=now exact=true /> }.into_any()
            actions=view! { {list.may_request.then(|| view! { <form method="post" action="/deploy"><Hidden name="blank" value="1" /><Submit text="New deployment" kind="secondary" /></form> })} }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <div class="gh-stack gh-when-any" data-live="deployments#away">{away}</div>
            <FormAlert />
            <form method="get" class="gh-filter" role="search">
                <TextField name="q" label="Name, model or runtime" value=get("q") />
                <SelectField name="unit" label="Business unit" options=units value=get("unit") />
                <SelectField name="cluster" label="Cluster" options=clusters value=get("cluster") />
                <SelectField name="environment" label="Environment" options=environments value=get("environment") />
                <SelectField name="state" label="State" options=states value=get("state") />
                <Submit text="Show" kind="secondary" />
            </form>
            <div data-live="deployments">
                {if list.page.rows.is_empty() {
                    view! { <Empty title="No deployment matches"><p><a href="/deployments">"Show all"</a>" or open a model in the "<a href="/catalog">"catalogue"</a>" and deploy it."</p></Empty> }.into_any()
                } else {
                    table("Deployments", &COLUMNS, deployment_rows(list.page.rows))
                }}
                <Pager next=list.page.next shown=shown />
            </div>
        </section>
        <Live topic="deployments" cursor=cursor />
    }
    .into_any()
}

/// Rows of deployments, with the cause of what is not well in the row itself.
pub fn deployment_rows(rows: Vec<DeploymentRow>) -> Vec<AnyView> {
    rows.into_iter()
        .map(|DeploymentRow { row: r, approval }| {
            let (tone, word) = state_label(r.state);
            let cause = r.cause.clone().map(|c| view! { <div class="gh-cause">{c}</div> });
            let href = r.key.path();
            row(vec![
                ("Deployment", view! { <a href=href>{r.key.name.clone()}</a> }.into_any()),
                ("State", view! { <Label tone=tone text=word />{cause} }.into_any()),
                ("Where", view! { {format!("{} / {}", r.key.cluster, r.key.namespace)} }.into_any()),
                ("Content", approval_label(approval)),
                ("Replicas", format!("{} of {}", r.replicas_ready, r.replicas_desired).into_any()),
                ("GPUs", r.gpus.to_string().into_any()),
                ("Model", view! { <span class="gh-clip" title=r.source.clone()>{short_source(&r.source)}</span> }.into_any()),
                ("As of", age(r.as_of, r.stale)),
            ])
        })
        .collect()
}

/// The last part of a source, with a short digest.
fn short_source(source: &str) -> String {
    let last = source.rsplit('/').next().unwrap_or(source);
    match last.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.get(..8).unwrap_or(digest)),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_none_is_refused_and_a_unit_is_kept() {
        let query = |pairs: &[(&str, &str)]| {
            let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            Query::of(pairs.iter().map(owned).collect())
        };
        let filter = filter_of(&query(&[("state", "no-runtime"), ("unit", "retail")]));
        let filter = filter.expect("a filter");
        assert_eq!(
            (filter.states, filter.units),
            (vec![Code::NoRuntime], vec!["retail".to_owned()])
        );
        let e = filter_of(&query(&[("state", "zzz")])).expect_err("no state");
        assert_eq!(e.fields[0].field, "state");
    }
}
