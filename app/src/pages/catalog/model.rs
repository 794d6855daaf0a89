//! One model: its versions by digest, what is known of the newest, its card.

use super::{deploy, facts, name_of, tags};
use crate::{components::*, load::load, query::Query};
use domain::ids::ModelId;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::{catalog::ModelView, ports::VersionRow};

const COLUMNS: [&str; 8] = [
    "Version",
    "Digest",
    "Format",
    "Quantisation",
    "Size",
    "Checks",
    "Seen",
    "Deploy",
];

#[component]
pub fn ModelPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    let after = Query::current().get("after").map(str::to_owned);
    load(
        |s, c| async move {
            let id: ModelId = id.parse()?;
            s.catalog.model(&c, id, after.as_deref()).await
        },
        |v| page(&v),
    )
}

fn page(v: &ModelView) -> AnyView {
    let m = &v.model;
    let latest = &m.latest;
    let offer = v.may_deploy && !v.cannot.contains_key(&latest.id);
    let why_not = v
        .cannot
        .get(&latest.id)
        .filter(|_| v.may_deploy)
        .map(|why| {
            alert(
                Tone::Warn,
                "The newest version cannot be deployed",
                explained(latest, why),
            )
        });
    let rows: Vec<AnyView> = v
        .versions
        .rows
        .iter()
        .map(|r| line(r, deploying(v, r), r.id == latest.id))
        .collect();
    let shown = rows.len();
    let actions = view! {
        {offer.then(|| deploy(latest.id, "Deploy", "primary"))}
        <a class="pf-v6-c-button pf-m-secondary" href=format!("/catalog/versions/{}", latest.id)>"Newest version"</a>
    };
    let subtitle = view! { <code class="gh-hash">{m.repository.clone()}</code>{format!(" in {} · {} · newest: {}", m.registry_name, latest.kind.label(), name_of(latest))} };
    view! {
        <PageHeader title=m.name.clone() crumbs=vec![Crumb::new("Catalogue", "/catalog")] subtitle=subtitle.into_any() actions=actions.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            {why_not}
            {card("Versions", view! { {table("Versions", &COLUMNS, rows)}<Pager next=v.versions.next.clone() shown=shown /> })}
            <div class="gh-columns">
                {card("Card", card_text(v.card_html.as_deref()))}
                {card("What is known of the newest version", facts::all(latest))}
            </div>
        </section>
    }
    .into_any()
}

/// Why a version cannot be deployed, and where more of it stands.
fn explained(version: &VersionRow, why: &str) -> AnyView {
    let why = why.to_owned();
    let href = format!("/catalog/versions/{}", version.id);
    view! { {why}" "<a href=href>"How it could be served"</a> }.into_any()
}

/// The button that deploys a version, or why there is none.
fn deploying(v: &ModelView, version: &VersionRow) -> AnyView {
    match v.cannot.get(&version.id) {
        _ if !v.may_deploy => view! { <span class="gh-muted">"—"</span> }.into_any(),
        None => deploy(version.id, "Deploy", "link"),
        Some(why) => {
            view! { <div class="gh-muted gh-small">{explained(version, why)}</div> }.into_any()
        }
    }
}

fn line(v: &VersionRow, deploying: AnyView, newest: bool) -> AnyView {
    let f = &v.facts;
    let href = format!("/catalog/versions/{}", v.id);
    let name = name_of(v);
    let gone = v.gone_at.map(|t| view! { <div><Label tone=Tone::Bad text="gone" /><span class="gh-muted gh-small">" from the registry "<When at=t /></span></div> });
    let moved = v
        .tags
        .iter()
        .any(|t| t.moved_at.is_some() || t.moved_from.is_some())
        .then(|| tags(&v.tags));
    row(vec![
        ("Version", view! { <a href=href>{name}</a>{newest.then(|| view! { " "<Label tone=Tone::Info text="newest" /> })}{moved}{gone} }.into_any()),
        ("Digest", view! { <code title=v.digest.to_string()>{v.digest.short().to_owned()}</code> }.into_any()),
        ("Format", known(f.format.as_ref().map(|x| x.label().to_owned()))),
        ("Quantisation", known(f.quantisation.clone().or(f.dtype.clone()))),
        ("Size", known(f.size_bytes.or(f.artifact_bytes).map(facts::size))),
        ("Checks", facts::checks(v)),
        ("Seen", view! { <When at=v.first_seen /> }.into_any()),
        ("Deploy", deploying),
    ])
}

/// The card as its author wrote it; it was made safe by the service.
pub fn card_text(html: Option<&str>) -> AnyView {
    match html {
        Some(h) if !h.trim().is_empty() => {
            view! { <div class="gh-prose" inner_html=h.to_owned()></div> }.into_any()
        }
        _ => view! { <p class="gh-muted">"This artifact carries no card."</p> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        Micros,
        artifact::{ArtifactKind, ModelFacts, SignatureFact},
        ids::Digest,
        page::Page,
    };
    use services::ports::ModelRow;

    fn view() -> ModelView {
        let id = |n: u32| format!("00000000-0000-7000-8000-{n:012}");
        let version = VersionRow {
            id: id(1).parse().expect("id"),
            model: id(2).parse().expect("id"),
            digest: Digest::of(b"x"),
            tags: vec![],
            kind: ArtifactKind::KitOps,
            facts: ModelFacts::default(),
            created_at: None,
            first_seen: Micros(1),
            observed_at: Micros(1),
            gone_at: None,
            platforms: vec![],
            signature: SignatureFact::Unsigned,
            scan: None,
            pickle: None,
        };
        ModelView {
            model: ModelRow {
                id: version.model,
                registry: id(3).parse().expect("id"),
                registry_name: "main".into(),
                repository: "models/x".into(),
                name: "x".into(),
                versions: 1,
                latest: version.clone(),
            },
            versions: Page {
                rows: vec![version],
                next: None,
            },
            card_html: None,
            may_deploy: true,
            cannot: [].into(),
        }
    }

    #[test]
    fn what_no_cluster_can_serve_says_so_in_place_of_the_button() {
        let mut v = view();
        let cell =
            |v: &ModelView| Owner::new().with(|| deploying(v, &v.versions.rows[0]).to_html());
        assert!(cell(&v).contains("<button"));
        let why = "No cluster can serve it as it is.";
        v.cannot.insert(v.model.latest.id, why.into());
        let html = cell(&v);
        assert!(!html.contains("<button") && html.contains(why), "{html}");
        assert!(html.contains("href=\"/catalog/versions/"), "{html}");
        v.may_deploy = false;
        assert!(!cell(&v).contains(why));
    }
}
