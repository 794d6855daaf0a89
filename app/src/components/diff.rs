use domain::diff::{FieldChange, Line, LineKind};
use leptos::prelude::*;
use serde_json::Value;

/// A difference field by field: path, before, after.
#[component]
pub fn DiffTable(
    changes: Vec<FieldChange>,
    #[prop(into)] before: String,
    #[prop(into)] after: String,
) -> impl IntoView {
    if changes.is_empty() {
        return view! { <p>"No field differs."</p> }.into_any();
    }
    if let [
        FieldChange {
            path,
            before,
            after,
        },
    ] = changes.as_slice()
    {
        let whole = |v: &Option<Value>| {
            v.clone()
                .filter(|v| !v.is_null())
                .map(|v| domain::yaml::to_yaml(&v))
        };
        match (path.is_empty(), whole(before), whole(after)) {
            (true, None, Some(text)) => return view! { <p>"Nothing is there yet: all of it is new."</p><super::Code text=text label="New" /> }.into_any(),
            (true, Some(text), None) => return view! { <p>"All of it goes."</p><super::Code text=text label="What goes" /> }.into_any(),
            _ => {}
        }
    }
    view! {
        <div class="gh-scroll" tabindex="0" role="region" aria-label="Difference field by field">
            <table class="pf-v6-c-table pf-m-compact pf-m-grid-md gh-diff-table">
                <thead class="pf-v6-c-table__thead"><tr class="pf-v6-c-table__tr">
                    <th class="pf-v6-c-table__th" scope="col">"Field"</th>
                    <th class="pf-v6-c-table__th" scope="col">{before.clone()}</th>
                    <th class="pf-v6-c-table__th" scope="col">{after.clone()}</th>
                </tr></thead>
                <tbody class="pf-v6-c-table__tbody">
                    {changes.into_iter().map(|c| view! {
                        <tr class="pf-v6-c-table__tr">
                            <th class="pf-v6-c-table__td" scope="row" data-label="Field"><code>{c.path}</code></th>
                            <td class="pf-v6-c-table__td gh-removed" data-label=before.clone()>{shown(c.before)}</td>
                            <td class="pf-v6-c-table__td gh-added" data-label=after.clone()>{shown(c.after)}</td>
                        </tr>
                    }).collect_view()}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

fn shown(value: Option<Value>) -> AnyView {
    match value {
        None => view! { <span class="gh-muted">"—"</span><span class="pf-v6-screen-reader">"not set"</span> }.into_any(),
        Some(Value::String(s)) => view! { <code>{s}</code> }.into_any(),
        Some(v @ (Value::Object(_) | Value::Array(_))) => view! { <pre class="gh-pre">{domain::yaml::to_yaml(&v)}</pre> }.into_any(),
        Some(v) => view! { <code>{v.to_string()}</code> }.into_any(),
    }
}

/// A difference as text, unified, with the line numbers of both sides. Long equal stretches fold.
#[component]
pub fn DiffText(lines: Vec<Line>) -> impl IntoView {
    const CONTEXT: usize = 3;
    let near: Vec<bool> = (0..lines.len())
        .map(|i| {
            let from = i.saturating_sub(CONTEXT);
            let to = (i + CONTEXT + 1).min(lines.len());
            lines[from..to].iter().any(|l| l.kind != LineKind::Same)
        })
        .collect();
    let mut rows = Vec::new();
    let mut folded = 0usize;
    for (line, near) in lines.into_iter().zip(near) {
        if !near {
            folded += 1;
            continue;
        }
        if folded > 0 {
            rows.push(fold(folded));
            folded = 0;
        }
        let (class, sign, word) = match line.kind {
            LineKind::Same => ("", " ", ""),
            LineKind::Removed => ("gh-removed", "-", "removed: "),
            LineKind::Added => ("gh-added", "+", "added: "),
        };
        let number = |n: Option<usize>| n.map(|n| n.to_string()).unwrap_or_default();
        rows.push(view! {
            <tr class=class>
                <td class="gh-line-number">{number(line.before)}</td><td class="gh-line-number">{number(line.after)}</td>
                <td class="gh-sign"><span aria-hidden="true">{sign}</span><span class="pf-v6-screen-reader">{word}</span></td>
                <td><code>{line.text}</code></td>
            </tr>
        }.into_any());
    }
    if folded > 0 {
        rows.push(fold(folded));
    }
    view! {
        <div class="gh-scroll" tabindex="0" role="region" aria-label="Difference as text">
            <table class="gh-diff-text"><tbody>{rows}</tbody></table>
        </div>
    }
}

fn fold(n: usize) -> AnyView {
    view! { <tr class="gh-fold"><td colspan="4">{format!("{n} unchanged lines")}</td></tr> }
        .into_any()
}
