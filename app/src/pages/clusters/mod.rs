//! Clusters: there or away, what they are, what the console may do in them.

use crate::{components::*, load::load};
use domain::{capacity::GpuProduct, observed::ClusterFacts};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use services::{
    clusters::{ClusterRow, ClusterView},
    ports::Permissions,
};

#[component]
pub fn ClustersPage() -> impl IntoView {
    load(
        |s, c| async move { s.clusters.list(&c).await },
        |rows| {
            let rows = rows.into_iter().map(line).collect();
            view! {
                <PageHeader title="Clusters" />
                <section class="pf-v6-c-page__main-section">
                    {table("Clusters", &["Cluster", "Reachable", "Kubernetes", "KServe", "Mode", "Deployments", "Nodes", "GPUs", "As of"], rows)}
                </section>
            }
        },
    )
}

fn line(r: ClusterRow) -> AnyView {
    let f = r.facts.unwrap_or_default();
    let known_text = |t: String| known(Some(t));
    let href = format!("/clusters/{}", r.health.name);
    row(vec![
        (
            "Cluster",
            view! { <a href=href>{r.health.name.clone()}</a> }.into_any(),
        ),
        (
            "Reachable",
            if r.health.reachable {
                view! { <Label tone=Tone::Good text="yes" /> }.into_any()
            } else {
                view! { <Label tone=Tone::Bad text="away" /><div class="gh-muted">{r.health.problem}</div> }.into_any()
            },
        ),
        ("Kubernetes", known_text(f.kubernetes_version)),
        ("KServe", known(f.kserve_version)),
        ("Mode", known(f.default_mode)),
        ("Deployments", r.health.deployments.to_string().into_any()),
        ("Nodes", r.nodes.to_string().into_any()),
        ("GPUs", gpus_in_short(&r.gpus)),
        (
            "As of",
            r.health
                .as_of
                .map_or_else(|| known(None), |t| view! { <When at=t /> }.into_any()),
        ),
    ])
}

/// Why a cluster is away, and since when.
pub fn away_words(h: &domain::observed::ClusterHealth) -> AnyView {
    let why = h
        .problem
        .as_deref()
        .map_or_else(|| "It does not answer.".to_owned(), sentence);
    let since = match h.as_of {
        Some(t) => {
            view! { " It was last heard "<When at=t />", and what is shown of it is from then." }
                .into_any()
        }
        None => " Nothing was heard of it since the console started.".into_any(),
    };
    view! { <p>{why}{since}</p> }.into_any()
}

fn gpus_in_short(gpus: &[GpuProduct]) -> AnyView {
    if gpus.is_empty() {
        return view! { <span class="gh-muted">"none"</span> }.into_any();
    }
    gpus.iter()
        .map(|g| {
            view! { <div>{format!("{} of {} free", g.free, g.allocatable)}" "<span class="gh-muted">{g.product.clone()}</span></div> }
        })
        .collect_view()
        .into_any()
}

#[component]
pub fn ClusterPage() -> impl IntoView {
    let name = use_params_map()
        .get_untracked()
        .get("name")
        .unwrap_or_default();
    load(
        |s, c| async move { s.clusters.get(&c, &name).await },
        |v| page(&v),
    )
}

fn page(v: &ClusterView) -> AnyView {
    let h = v.row.health.clone();
    let away = (!h.reachable).then(|| {
        alert(
            Tone::Bad,
            format!("Cluster {} is away", h.name),
            away_words(&h),
        )
    });
    let permissions: Vec<AnyView> = v
        .permissions
        .all
        .iter()
        .cloned()
        .map(|p| {
            let label = match p.allowed {
                Some(true) => view! { <Label tone=Tone::Good text="allowed" /> }.into_any(),
                Some(false) => view! { <Label tone=Tone::Bad text="missing" /> }.into_any(),
                None => view! { <Label tone=Tone::Quiet text="unknown" /> }.into_any(),
            };
            row(vec![
                ("What", view! { <code>{p.what}</code> }.into_any()),
                ("State", label),
                ("Why it is needed", p.why.into_any()),
            ])
        })
        .collect();
    let missing = v
        .permissions
        .all
        .iter()
        .filter(|p| p.allowed == Some(false))
        .count();
    let gpus: Vec<AnyView> = v
        .row
        .gpus
        .iter()
        .cloned()
        .map(|g| {
            row(vec![
                ("GPU", g.product.into_any()),
                ("Resource", view! { <code>{g.resource}</code> }.into_any()),
                (
                    "Memory",
                    known(g.memory_mib.map(|m| format!("{} GiB", m / 1024))),
                ),
                ("Nodes", g.nodes.to_string().into_any()),
                ("Allocatable", g.allocatable.to_string().into_any()),
                ("Requested", g.requested.to_string().into_any()),
                ("Free", g.free.to_string().into_any()),
            ])
        })
        .collect();
    let namespaces: Vec<AnyView> = v
        .namespaces
        .iter()
        .cloned()
        .map(|n| {
            let href = format!("/deployments?cluster={}&namespace={}", h.name, n.name);
            row(vec![
                ("Namespace", view! { <a href=href>{n.name}</a> }.into_any()),
                ("Business unit", known(Some(n.scope.unit))),
                ("Environment", known(Some(n.scope.environment))),
            ])
        })
        .collect();
    let runtimes: Vec<AnyView> = v
        .runtimes
        .iter()
        .cloned()
        .map(|r| {
            let formats: Vec<String> = r
                .formats
                .iter()
                .map(|f| match &f.version {
                    Some(v) => format!("{} {v}", f.name),
                    None => f.name.clone(),
                })
                .collect();
            row(vec![
                ("Runtime", r.name.into_any()),
                ("Formats", formats.join(", ").into_any()),
                ("Protocols", r.protocols.join(", ").into_any()),
                (
                    "State",
                    if r.disabled {
                        "disabled".into_any()
                    } else {
                        "on".into_any()
                    },
                ),
            ])
        })
        .collect();
    let rights = if permissions.is_empty() {
        view! { <p class="gh-muted">"It cannot be asked while the cluster is away."</p> }.into_any()
    } else {
        let rows = table(
            "Rights",
            &["What", "State", "Why it is needed"],
            permissions,
        );
        view! { {age_of_rights(&v.permissions)}{rows} }.into_any()
    };
    let name = h.name.clone();
    view! {
        <PageHeader title=name crumbs=vec![Crumb::new("Clusters", "/clusters")] subtitle=view! { {h.server.clone()}{h.as_of.map(|t| view! { " · as of "<When at=t /> })} }.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            {away}
            {(missing > 0).then(|| alert(Tone::Warn, format!("The console lacks {missing} rights here"), "Apply deploy/rbac.yaml of the console's repository to this cluster."))}
            {card("What it is", facts(v.row.facts.clone().unwrap_or_default()))}
            {card("GPUs", if gpus.is_empty() { view! { <p class="gh-muted">"No node has GPUs."</p> }.into_any() } else { table("GPUs", &["GPU", "Resource", "Memory", "Nodes", "Allocatable", "Requested", "Free"], gpus) })}
            {card("What the console may do here", rights)}
            {card("Namespaces that you may see", table("Namespaces", &["Namespace", "Business unit", "Environment"], namespaces))}
            {card("Serving runtimes of the cluster", table("Runtimes", &["Runtime", "Formats", "Protocols", "State"], runtimes))}
        </section>
    }
    .into_any()
}

/// When the cluster said what the console may do, and why that is not now.
fn age_of_rights(p: &Permissions) -> AnyView {
    let problem = p.problem.clone();
    let since = p
        .as_of
        .map(|t| view! { "As the cluster said "<When at=t />". " });
    view! { <p class="gh-muted">{since}{problem}</p> }.into_any()
}

fn facts(f: ClusterFacts) -> AnyView {
    let switch = |v: Option<bool>, yes: &str, no: &str| {
        known(v.map(|v| if v { yes.to_owned() } else { no.to_owned() }))
    };
    terms(vec![
        ("Kubernetes", known(Some(f.kubernetes_version))),
        ("KServe", known(f.kserve_version)),
        ("Default mode", known(f.default_mode)),
        (
            "Gateway API",
            switch(
                f.gateway_api,
                "on: canary weights take effect",
                "off: canary weights take no effect",
            ),
        ),
        (
            "Canaries in Standard mode",
            if f.canary_field {
                "the schema has spec.canary".into_any()
            } else {
                "the schema lacks spec.canary (KServe before 0.20)".into_any()
            },
        ),
        ("Model images (oci://)", switch(f.modelcar, "on", "off")),
        ("Fetching (oci+fetch://)", switch(f.oci_fetch, "on", "off")),
        ("Bare oci:// means", known(f.oci_mode)),
        (
            "KEDA",
            if f.groups.iter().any(|g| g == "keda.sh") {
                "installed".into_any()
            } else {
                "not installed".into_any()
            },
        ),
    ])
}
