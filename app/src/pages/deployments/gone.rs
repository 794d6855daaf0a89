//! A deployment that is no longer there: by whom it went, and what is remembered of it.

use super::{detail::revision_rows, story};
use crate::{
    components::*,
    pages::approvals::{rows as change_rows, title},
};
use domain::change::ChangeKind;
use leptos::prelude::*;
use services::deployments::Gone;

pub fn page(v: Gone, cursor: String) -> AnyView {
    let key = v.key.clone();
    let topic = format!("deployment:{key}");
    let change = v.last.change.clone();
    let (href, by) = (format!("/changes/{}", change.id), v.last.by.clone());
    let at = v.last.at;
    let what = match (&v.away, change.kind) {
        (None, ChangeKind::Delete) => view! {
            <p><Label tone=Tone::Quiet text="Deleted" />" "<strong>"This deployment was deleted"</strong></p>
            <p>"Deleted by "{by}" on "{at.map(|t| view! { <When at=t exact=true /> })}": "<a href=href>{title(&change)}</a>"."</p>
        }
        .into_any(),
        (None, _) => view! {
            <p><Label tone=Tone::Warn text="Gone" />" "<strong>"This deployment is no longer in the cluster"</strong></p>
            <p>"No change deleted it, so it was done past the console. Last change: "<a href=href>{title(&change)}</a>{format!(" by {by} ")}{at.map(|t| view! { <When at=t /> })}"."</p>
        }
        .into_any(),
        (Some(problem), _) => view! {
            <p><Label tone=Tone::Warn text="Unknown" />" "<strong>{format!("Cluster {} is away, so it is not known whether this deployment is there", key.cluster)}</strong></p>
            <p>{sentence(problem)}" Last change: "<a href=href>{title(&change)}</a>{format!(" by {by} ")}{at.map(|t| view! { <When at=t /> })}"."</p>
        }
        .into_any(),
    };
    // The region is named otherwise than on the page of one that is there: when it comes back, that is loaded.
    let place = format!(
        "{} / {} · {} · {}",
        key.cluster, key.namespace, v.scope.unit, v.scope.environment
    );
    let revisions = (!v.revisions.rows.is_empty()).then(|| {
        let rows = revision_rows(&v.revisions.rows, &key.path(), false);
        let (next, shown) = (v.revisions.next.clone(), v.revisions.rows.len());
        card(
            "Applied revisions, newest first",
            view! { {rows}<Pager next=next shown=shown by="revisions" /> },
        )
    });
    let (next, shown) = (v.history.next.clone(), v.history.rows.len());
    let history = table(
        "Changes",
        &["Change", "Where", "Requester", "Purpose", "State", "Asked"],
        vec![change_rows(v.history.rows, true).into_any()],
    );
    view! {
        <PageHeader title=key.name.clone() crumbs=vec![Crumb::new("Deployments", "/deployments")] subtitle=place.into_any() />
        <section class="pf-v6-c-page__main-section gh-stack">
            <FormAlert />
            <div class="gh-standing" data-live=format!("gone:{key}")>{what}</div>
            {revisions}
            {card("Changes, newest first", view! { {history}<Pager next=next shown=shown /> })}
            {story(&key)}
        </section>
        <Live topic=topic cursor=cursor />
    }
    .into_any()
}
