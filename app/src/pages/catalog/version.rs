//! One version: where it runs, how it can be served, and everything that is known of it.

use super::{deploy, facts, model::card_text, name_of, tags};
use crate::{components::*, load::load, pages::deployments::age};
use domain::{
    artifact::{Obstacle, Scheme, Servability, Way},
    ids::VersionId,
    observed::Row,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::catalog::VersionView;

/// The most files that the page lists.
const MAX_FILES: usize = 200;

#[component]
pub fn VersionPage() -> impl IntoView {
    let id = use_params_map()
        .get_untracked()
        .get("id")
        .unwrap_or_default();
    load(
        |s, c| async move {
            let id: VersionId = id.parse()?;
            s.catalog.version(&c, id).await
        },
        |v| page(&v),
    )
}

fn page(v: &VersionView) -> AnyView {
    let (m, version) = (&v.model, &v.version);
    let cannot = v.cannot_deploy();
    let offer = v.may_deploy && cannot.is_none();
    // What has gone is said above already. An image that holds no model may still serve one: how, stands
    // below.
    let no_way = v.serving.iter().all(|(_, s)| s.ways.is_empty());
    let why_not = cannot
        .filter(|_| v.may_deploy && version.gone_at.is_none())
        .filter(|_| version.kind.holds_model() || no_way);
    let crumbs = vec![
        Crumb::new("Catalogue", "/catalog"),
        Crumb::new(m.name.clone(), format!("/catalog/models/{}", m.id)),
    ];
    let subtitle = view! { <code class="gh-hash">{format!("{}@{}", m.repository, version.digest)}</code>{format!(" in {}", m.registry_name)} };
    let gone = version.gone_at.map(|t| {
        alert(Tone::Bad, "This version is no longer in the registry", view! { <p>"It was last seen there before "<When at=t exact=true />". What runs may go on, but a pod that starts anew cannot fetch it."</p> })
    });
    let newer = (m.latest.id != version.id).then(|| {
        let href = format!("/catalog/versions/{}", m.latest.id);
        alert(Tone::Info, "There is a newer version", view! { <p><a href=href>{name_of(&m.latest)}</a>", seen "<When at=m.latest.first_seen /></p> })
    });
    let notes: Vec<AnyView> = version
        .facts
        .notes
        .iter()
        .cloned()
        .map(|n| view! { <li>{n}</li> }.into_any())
        .collect();
    view! {
        <PageHeader title=format!("{} {}", m.name, name_of(version)) crumbs=crumbs subtitle=subtitle.into_any() actions=view! { {offer.then(|| deploy(version.id, "Deploy", "primary"))} }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            {gone}
            {why_not.map(|why| alert(Tone::Warn, "It cannot be deployed", format!("{why} Below stands how it could be served, and what to do.")))}
            {newer}
            {card("How it can be served", serving(&v.serving))}
            {card("Where it runs", runs(&v.runs))}
            <div class="gh-columns">
                {card("What is known", view! {
                    {facts::all(version)}
                    {(!notes.is_empty()).then(|| view! { <p class="gh-muted">"What could not be read:"</p><ul class="pf-v6-c-list">{notes}</ul> })}
                })}
                <div class="gh-stack">
                    {card("Tags", tags(&version.tags))}
                    {facts::signature(version)}
                    {facts::pickles(version)}
                </div>
            </div>
            {card("Vulnerability scan", facts::scan(version.scan.as_ref()))}
            {card("Card", card_text(v.card_html.as_deref()))}
            {card("Files", files(v))}
        </section>
    }
    .into_any()
}

fn scheme(s: Scheme) -> &'static str {
    match s {
        Scheme::Oci => "oci://",
        Scheme::OciNative => "oci+native://",
        Scheme::OciFetch => "oci+fetch://",
        Scheme::ServingImage => "serving image",
        Scheme::StorageContainer => "storage container",
    }
}

/// Each cluster: the ways that work, best first, and what stands in the way of the others.
fn serving(clusters: &[(String, Servability)]) -> AnyView {
    if clusters.is_empty() {
        return view! { <Empty title="No cluster is connected"><p>"Clusters are named in the console’s configuration file."</p></Empty> }.into_any();
    }
    // Clusters that can do the same are said together.
    let mut groups: Vec<(Vec<&str>, &Servability)> = Vec::new();
    for (name, s) in clusters {
        match groups.iter_mut().find(|(_, known)| *known == s) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], s)),
        }
    }
    let parts: Vec<AnyView> = groups
        .into_iter()
        .map(|(names, s)| {
            let (tone, words) = match s.ways.len() {
                0 => (Tone::Bad, "cannot be served as it is".to_owned()),
                1 => (Tone::Good, "1 way".to_owned()),
                n => (Tone::Good, format!("{n} ways")),
            };
            let ways: Vec<AnyView> = s.ways.iter().enumerate().map(|(i, w)| way(w, i == 0)).collect();
            let none = ways.is_empty();
            let obstacles: Vec<AnyView> = s.obstacles.iter().enumerate().map(|(i, o)| obstacle(o, format!("Way out {} for {}, to copy", i + 1, names.join(", ")))).collect();
            let blocked = (!obstacles.is_empty()).then(|| {
                let heading = if none { "Why not, and what to do" } else { "What does not work here, and why" };
                view! { <details class="gh-details" open=none><summary>{heading}</summary><ul class="gh-facts gh-findings" role="list">{obstacles}</ul></details> }
            });
            view! {
                <div class="gh-stack">
                    <h3 class="gh-inline">{names.join(", ")}<Label tone=tone text=words /></h3>
                    {(!none).then(|| view! { <ol class="gh-facts gh-findings" role="list">{ways}</ol> })}
                    {blocked}
                </div>
            }
            .into_any()
        })
        .collect();
    view! { <div class="gh-columns">{parts}</div> }.into_any()
}

fn way(w: &Way, best: bool) -> AnyView {
    let needs: Vec<AnyView> = w
        .needs
        .iter()
        .cloned()
        .map(|n| view! { <li>{n}</li> }.into_any())
        .collect();
    let formats = (!w.formats.is_empty()).then(
        || view! { <p class="gh-muted">{format!("Runtimes for: {}", w.formats.join(", "))}</p> },
    );
    view! {
        <li>
            <p><code>{scheme(w.scheme)}</code>{best.then(|| view! { " "<Label tone=Tone::Info text="proposed" /> })}</p>
            <p>{w.how.clone()}</p>
            {(!needs.is_empty()).then(|| view! { <ul class="pf-v6-c-list gh-small">{needs}</ul> })}
            {formats}
            <p><code class="gh-hash gh-small">{w.uri.clone()}</code></p>
        </li>
    }
    .into_any()
}

fn obstacle(o: &Obstacle, label: String) -> AnyView {
    let out = o.way_out.clone().map(|w| {
        view! { <p><strong>"What to do: "</strong>{w.text}</p>{w.snippet.map(|s| view! { <Code text=s label=label /> })} }
    });
    view! { <li><p>{o.scheme.map(|s| view! { <code>{scheme(s)}</code>" " })}{o.reason.clone()}</p>{out}</li> }.into_any()
}

fn runs(rows: &[Row]) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="gh-muted">"No deployment that you may see names this digest."</p> }.into_any();
    }
    let rows = rows
        .iter()
        .map(|r| {
            let (tone, word) = state_label(r.state);
            row(vec![
                ("Deployment", view! { <a href=r.key.path()>{r.key.name.clone()}</a> }.into_any()),
                ("State", view! { <Label tone=tone text=word />{r.cause.clone().map(|c| view! { <div class="gh-cause">{c}</div> })} }.into_any()),
                ("Where", format!("{} / {}", r.key.cluster, r.key.namespace).into_any()),
                ("Replicas", format!("{} of {}", r.replicas_ready, r.replicas_desired).into_any()),
                ("Runtime", known(Some(r.runtime.clone()))),
                ("As of", age(r.as_of, r.stale)),
            ])
        })
        .collect();
    table(
        "Where it runs",
        &[
            "Deployment",
            "State",
            "Where",
            "Replicas",
            "Runtime",
            "As of",
        ],
        rows,
    )
}

fn files(v: &VersionView) -> AnyView {
    let listing = &v.version.facts.files;
    if listing.entries.is_empty() {
        return view! { <p class="gh-muted">"No file of its layers could be listed."</p> }
            .into_any();
    }
    let rows: Vec<AnyView> = listing
        .entries
        .iter()
        .take(MAX_FILES)
        .map(|f| {
            row(vec![
                (
                    "File",
                    view! { <code class="gh-hash">{f.path.clone()}</code> }.into_any(),
                ),
                ("Size", facts::size(f.size).into_any()),
            ])
        })
        .collect();
    let count = listing.entries.len();
    let more = (count > MAX_FILES).then(|| format!(" The first {MAX_FILES} are shown."));
    let gaps =
        (!listing.complete).then_some(" Some layers could not be read, so there may be more.");
    view! {
        <details class="gh-details">
            <summary>{format!("{count} files")}</summary>
            <p class="gh-muted">{more}{gaps}</p>
            {table("Files", &["File", "Size"], rows)}
        </details>
    }
    .into_any()
}
