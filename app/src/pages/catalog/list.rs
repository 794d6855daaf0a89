//! The list: search, facets, order and paging, all in the address.

use super::{facts, name_of};
use crate::{
    components::*,
    load::{form_state, load, refuse_filter},
    query::Query,
};
use domain::{Result, artifact::ArtifactKind, page::Page};
use leptos::prelude::*;
use services::ports::{CatalogFilter, CatalogSort, Facets, ModelRow, VersionRow};

const SORTS: [(&str, &str, CatalogSort); 4] = [
    ("", "Name", CatalogSort::Name),
    ("newest", "Newest first", CatalogSort::Newest),
    ("size", "Largest first", CatalogSort::Size),
    (
        "parameters",
        "Most parameters first",
        CatalogSort::Parameters,
    ),
];

const COLUMNS: [&str; 6] = ["Model", "Format", "Size", "Licence", "Checks", "Newest"];

/// A facet value of the address in words.
struct Chip {
    facet: &'static str,
    value: String,
    words: String,
}

/// The filter of an address. Errors: a registry, a kind or an order that is none.
fn filter_of(query: &Query) -> Result<CatalogFilter> {
    let sort = |name: &str| SORTS.iter().find(|s| s.0 == name).map(|s| s.2);
    Ok(CatalogFilter {
        text: query.get("q").map(str::to_owned),
        registries: query.each("registry", "registry", |r| r.parse().ok())?,
        tasks: query.all("task"),
        formats: query.all("format"),
        licences: query.all("licence"),
        kinds: query.each("kind", "kind of artifact", ArtifactKind::from_name)?,
        signatures: query.all("signature"),
        scans: query.all("scan"),
        sort: query
            .each("sort", "order of this list", sort)?
            .pop()
            .unwrap_or(CatalogSort::Name),
    })
}

#[component]
pub fn CatalogPage() -> impl IntoView {
    let query = Query::current();
    let after = query.get("after").map(str::to_owned);
    let asked = filter_of(&query).inspect_err(refuse_filter).ok();
    load(
        |s, c| async move {
            let (filter, page) = match asked {
                Some(f) => {
                    let page = s.catalog.list(&c, &f, after.as_deref(), 50).await?;
                    (f, page)
                }
                // All facets to choose from, and no model.
                None => (CatalogFilter::default(), Page::empty()),
            };
            let facets = s.catalog.facets(&c, &filter).await?;
            Ok((page, facets))
        },
        move |(found, facets)| page(found, facets, query),
    )
}

fn page(found: Page<ModelRow>, facets: Facets, query: Query) -> AnyView {
    let groups = groups(&facets);
    let choices = groups.iter().any(|(_, _, values)| !values.is_empty());
    let chips = chips(&groups, &query);
    let refused = form_state().error.is_some();
    let filtered = !chips.is_empty() || query.get("q").is_some() || refused;
    let shown = found.rows.len();
    let kept: Vec<AnyView> = query
        .pairs()
        .iter()
        .filter(|(k, v)| !matches!(k.as_str(), "q" | "sort" | "after") && !v.is_empty())
        .cloned()
        .map(|(k, v)| view! { <Hidden name=k value=v /> }.into_any())
        .collect();
    let sorts = SORTS
        .iter()
        .map(|(value, words, _)| ((*value).to_owned(), (*words).to_owned()))
        .collect();
    let chosen = (!chips.is_empty()).then(|| {
        let items: Vec<AnyView> = chips
            .iter()
            .map(|c| {
                let href = query.without(c.facet, &c.value);
                view! { <li><a class="gh-chip" href=href>{c.words.clone()}<span aria-hidden="true">"×"</span><span class="pf-v6-screen-reader">", remove"</span></a></li> }.into_any()
            })
            .collect();
        view! { <ul class="gh-chips" role="list" aria-label="Chosen filters">{items}<li><a class="gh-chip" href="/catalog">"Clear all"</a></li></ul> }
    });
    let result = if found.rows.is_empty() && filtered {
        view! { <Empty title="No model matches"><p>"Take a filter away, or "<a href="/catalog">"show all models"</a>"."</p></Empty> }.into_any()
    } else if found.rows.is_empty() {
        view! { <Empty title="The catalogue is empty"><p>"Models appear here when a registry has been synced. See how that goes, or add one, at "<a href="/registries">"Registries"</a>"."</p></Empty> }.into_any()
    } else {
        table("Models", &COLUMNS, found.rows.iter().map(line).collect())
    };
    view! {
        <PageHeader title="Catalogue" subtitle=view! { "What the registries hold, with what is known of it. Facts are those of the newest version." }.into_any() />
        <section class="pf-v6-c-page__main-section">
            <div class=if choices { "gh-with-aside" } else { "gh-stack" }>
                {choices.then(|| view! {
                    <details class="gh-details gh-filters">
                        <summary>"Filters"</summary>
                        <div class="gh-facets">{facet_lists(&groups, &query)}</div>
                    </details>
                })}
                <div class="gh-stack">
                    // Facets are links: only the order has a field to lead to.
                    {form_alert(|field| (field == "sort").then(|| "#sort".to_owned()))}
                    <form method="get" class="gh-filter" role="search" aria-label="Models">
                        <TextField name="q" label="Name, repository, task or card" value=query.get("q").unwrap_or_default().to_owned() />
                        <SelectField name="sort" label="Order" options=sorts value=query.get("sort").unwrap_or_default().to_owned() />
                        {kept}
                        <Submit text="Search" kind="secondary" />
                    </form>
                    {chosen}
                    {result}
                    <Pager next=found.next.clone() shown=shown />
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// A facet: its parameter, its heading, and (value, words, how many).
type Group = (&'static str, &'static str, Vec<(String, String, i64)>);

fn groups(f: &Facets) -> Vec<Group> {
    let plain = |values: &[(String, i64)]| {
        values
            .iter()
            .filter(|(v, _)| !v.is_empty())
            .map(|(v, n)| (v.clone(), v.clone(), *n))
            .collect()
    };
    let words = |values: &[(String, i64)], say: fn(&str) -> &'static str| {
        values
            .iter()
            .map(|(v, n)| (v.clone(), say(v).to_owned(), *n))
            .collect()
    };
    vec![
        ("task", "Task", plain(&f.tasks)),
        ("format", "Format", plain(&f.formats)),
        (
            "kind",
            "Artifact",
            words(&f.kinds, |k| {
                ArtifactKind::from_name(k).map_or("Unknown artifact", ArtifactKind::label)
            }),
        ),
        ("licence", "Licence", plain(&f.licences)),
        (
            "signature",
            facts::fact_words("signature"),
            words(&f.signatures, |s| facts::signature_words(s).1),
        ),
        (
            "scan",
            facts::fact_words("scan"),
            words(&f.scans, |s| facts::scan_words(s).1),
        ),
        (
            "registry",
            "Registry",
            f.registries
                .iter()
                .map(|(id, name, n)| (id.to_string(), name.clone(), *n))
                .collect(),
        ),
    ]
}

fn chips(groups: &[Group], query: &Query) -> Vec<Chip> {
    groups
        .iter()
        .flat_map(|(facet, heading, values)| {
            query.all(facet).into_iter().map(move |value| {
                let words = values
                    .iter()
                    .find(|(v, ..)| *v == value)
                    .map_or(value.clone(), |(_, w, _)| w.clone());
                Chip {
                    facet,
                    words: format!("{heading}: {words}"),
                    value,
                }
            })
        })
        .collect()
}

fn facet_lists(groups: &[Group], query: &Query) -> Vec<AnyView> {
    groups
        .iter()
        .filter(|(_, _, values)| !values.is_empty())
        .map(|(facet, heading, values)| {
            let chosen = query.all(facet);
            let items: Vec<AnyView> = values
                .iter()
                .map(|(value, words, n)| {
                    let on = chosen.contains(value);
                    let href = if on { query.without(facet, value) } else { query.also(facet, value) };
                    view! { <li><a href=href aria-current=on.then_some("true")><span>{words.clone()}</span><span class="gh-muted">{n.to_string()}</span></a></li> }.into_any()
                })
                .collect();
            view! { <div><h3>{*heading}</h3><ul role="list">{items}</ul></div> }.into_any()
        })
        .collect()
}

fn line(m: &ModelRow) -> AnyView {
    let v = &m.latest;
    let f = &v.facts;
    let href = format!("/catalog/models/{}", m.id);
    let age = v.created_at.unwrap_or(v.first_seen);
    let versions = if m.versions == 1 {
        "1 version".to_owned()
    } else {
        format!("{} versions", m.versions)
    };
    let does = [f.task.as_deref(), f.architecture.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" · ");
    let packed = [
        Some(v.kind.label()),
        f.quantisation.as_deref().filter(|q| *q != "none"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" · ");
    row(vec![
        (
            "Model",
            view! {
                <div class="gh-wide">
                    <a href=href>{m.name.clone()}</a>
                    <div class="gh-small">{if does.is_empty() { "task unknown".to_owned() } else { does }}</div>
                    <div class="gh-muted gh-small gh-hash">{format!("{} · {}", m.registry_name, m.repository)}</div>
                </div>
            }
            .into_any(),
        ),
        ("Format", view! { {known(f.format.as_ref().map(|x| x.label().to_owned()))}<div class="gh-muted gh-small">{packed}</div> }.into_any()),
        ("Size", size(v)),
        ("Licence", known(f.licence.clone())),
        ("Checks", facts::checks(v)),
        ("Newest", view! { <div class="gh-hash">{name_of(v)}</div><div class="gh-muted gh-small"><When at=age />", "<span class="gh-nowrap">{versions}</span></div> }.into_any()),
    ])
}

/// Parameters, below them the bytes and how long a context may be.
fn size(v: &VersionRow) -> AnyView {
    let f = &v.facts;
    let parameters = f
        .parameters
        .map(|n| format!("{} parameters", facts::parameters(n)));
    let bytes = f.size_bytes.or(f.artifact_bytes).map(facts::size);
    let context = f
        .context_length
        .map(|n| format!("context {}", facts::context(n)));
    let more = [bytes, context]
        .into_iter()
        .flatten()
        .map(|text| view! { <div class="gh-muted gh-small gh-nowrap">{text}</div> })
        .collect_view();
    view! { <span class="gh-nowrap">{known(parameters)}</span>{more} }.into_any()
}
