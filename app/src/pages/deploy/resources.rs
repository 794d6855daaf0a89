//! How much it needs, whether it fits, node by node.

use super::{beside, form};
use crate::{components::*, pages::approvals::quota};
use domain::{
    capacity::Fit,
    sizing::{Estimate, Verdict, gib},
};
use leptos::prelude::*;
use services::wizard::WizardView;

pub fn page(v: &WizardView) -> AnyView {
    let f = v.form.clone();
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let mut products: Vec<(String, String)> = vec![(String::new(), "Any".to_owned())];
    products.extend(v.gpus.iter().map(|g| {
        (
            g.product.clone(),
            format!("{} — {} of {} free", g.product, g.free, g.allocatable),
        )
    }));
    products.dedup_by(|a, b| a.0 == b.0);
    if !f.gpu_product.is_empty() && !products.iter().any(|(p, _)| *p == f.gpu_product) {
        products.push((
            f.gpu_product.clone(),
            format!("{} (no node has it)", f.gpu_product),
        ));
    }
    let mut resources: Vec<(String, String)> = v
        .gpus
        .iter()
        .map(|g| (g.resource.clone(), g.resource.clone()))
        .collect();
    resources.push((f.gpu_resource.clone(), f.gpu_resource.clone()));
    resources.sort();
    resources.dedup();
    resources.retain(|(r, _)| !r.is_empty());
    let yes_no = vec![
        ("yes".to_owned(), "yes".to_owned()),
        ("no".to_owned(), "no".to_owned()),
    ];
    let fields = view! {
        <div class="gh-columns">
            <div class="gh-stack">
                <TextField name="min_replicas" label="Smallest number of replicas" kind="number" value=number(f.min_replicas) remarks=beside(v, "min_replicas") />
                <TextField name="max_replicas" label="Largest number of replicas" kind="number" value=number(f.max_replicas) remarks=beside(v, "max_replicas") />
                <TextField name="gpus" label="GPUs for each replica" kind="number" value=f.gpus.to_string() remarks=beside(v, "gpus") />
                <SelectField name="gpu_resource" label="Kind of GPU resource" value=f.gpu_resource.clone() options=resources remarks=beside(v, "gpu_resource") />
                <SelectField name="gpu_product" label="GPU product" value=f.gpu_product.clone() options=products remarks=beside(v, "gpu_product") />
                <SelectField name="tolerate" label="Tolerate the taint of GPU nodes" value=if f.tolerate_gpu_taint { "yes" } else { "no" } options=yes_no remarks=beside(v, "tolerate") />
            </div>
            <div class="gh-stack">
                <TextField name="cpu" label="CPU requested" value=f.cpu.clone() remarks=beside(v, "cpu") help="Cores, such as 4 or 500m." />
                <TextField name="cpu_limit" label="CPU limit" value=f.cpu_limit.clone() remarks=beside(v, "cpu_limit") />
                <TextField name="memory" label="Memory requested" value=f.memory.clone() remarks=beside(v, "memory") help="Such as 32Gi." />
                <TextField name="memory_limit" label="Memory limit" value=f.memory_limit.clone() remarks=beside(v, "memory_limit") />
                <TextField name="timeout" label="Seconds that a request may take" kind="number" value=number(f.timeout) remarks=beside(v, "timeout") />
            </div>
        </div>
    };
    let form = form(v, "resources", fields.into_any());
    view! {
        {form}
        {v.sizing.as_ref().map(|e| card("GPU memory, as a range", sizing(e)))}
        {v.fit.as_ref().map(|f| card("Does it fit now?", fit(f)))}
        {(!v.quota.is_empty()).then(|| card("Quota", quota(&v.quota)))}
    }
    .into_any()
}

/// The range and what it rests on.
pub fn sizing(e: &Estimate) -> AnyView {
    let assumptions: Vec<AnyView> = e
        .assumptions
        .iter()
        .cloned()
        .map(|a| view! { <li>{a}</li> }.into_any())
        .collect();
    let rows = e
        .fits
        .iter()
        .map(|p| {
            let (tone, word) = match p.verdict {
                Verdict::Fits => (Tone::Good, "fits"),
                Verdict::Tight => (Tone::Warn, "tight"),
                Verdict::DoesNotFit => (Tone::Bad, "does not fit"),
            };
            row(vec![
                ("GPU", p.product.clone().into_any()),
                ("Usable", gib(p.budget_bytes as f64).into_any()),
                (
                    "Verdict",
                    view! { <Label tone=tone text=word /> }.into_any(),
                ),
                (
                    "GPUs for the upper end",
                    p.gpus_needed
                        .map_or_else(|| "more than 16".to_owned(), |n| n.to_string())
                        .into_any(),
                ),
            ])
        })
        .collect();
    view! {
        <p><strong>{format!("{} to {}", gib(e.low_bytes as f64), gib(e.high_bytes as f64))}</strong>
            {format!(" in all; {} to {} on each of {}.", gib(e.per_gpu_low_bytes as f64), gib(e.per_gpu_high_bytes as f64), match e.gpus { 1 => "1 GPU".to_owned(), n => format!("{n} GPUs") })}</p>
        {table("GPU products", &["GPU", "Usable", "Verdict", "GPUs for the upper end"], rows)}
        <details class="gh-details"><summary>"What this assumes"</summary><ul class="pf-v6-c-list">{assumptions}</ul></details>
    }
    .into_any()
}

/// The verdict, and node by node what blocks.
pub fn fit(f: &Fit) -> AnyView {
    let tone = if f.all() { Tone::Good } else { Tone::Warn };
    let rows = f
        .verdicts
        .iter()
        .map(|n| {
            let because = if n.because.is_empty() {
                "free".to_owned()
            } else {
                n.because.join("; ")
            };
            row(vec![
                ("Node", n.node.clone().into_any()),
                ("Room for", n.fits.to_string().into_any()),
                ("When empty", n.fits_when_empty.to_string().into_any()),
                ("Why not more", because.into_any()),
            ])
        })
        .collect();
    view! {
        <p><Label tone=tone text=format!("{} of {}", f.fits_now, f.wanted) />" "{f.summary.clone()}</p>
        <details class="gh-details" open=!f.all()><summary>"Node by node"</summary>{table("Nodes", &["Node", "Room for", "When empty", "Why not more"], rows)}</details>
    }
    .into_any()
}
