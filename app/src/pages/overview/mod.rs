//! What waits for this person, and what is unhealthy in what they may see.

use crate::{components::*, load::load};
use leptos::prelude::*;

#[component]
pub fn OverviewPage() -> impl IntoView {
    load(
        |s, c| async move { s.overview.get(&c).await },
        |view| {
            view! {
                <PageHeader title="Overview" />
                <section class="pf-v6-c-page__main-section">
                    <p>{format!("{} changes wait for you", view.waiting_count)}</p>
                </section>
            }
        },
    )
}
