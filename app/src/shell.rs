//! The document around every page: head, masthead, navigation.

use crate::{components::Frame, load, pages::*};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

/// The whole document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let theme = use_context::<Theme>().unwrap_or_default();
    let _ = use_nonce();
    view! {
        <!DOCTYPE html>
        <html lang="en" class=theme.class()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="stylesheet" href="/pkg/gatehouse.css" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body><App /></body>
        </html>
    }
}

/// The theme that the person chose (a cookie); `Auto` follows the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub fn class(self) -> &'static str {
        match self {
            Self::Auto => "gh-theme-auto",
            Self::Light => "gh-theme-light",
            Self::Dark => "pf-v6-theme-dark gh-theme-dark",
        }
    }
}

/// The pages by their addresses.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|t| format!("{t} · Gatehouse") />
        <Router>
            <Frame>
                <Routes fallback=|| { load::set_status(404); view! { <NotFound /> } }>
                    <Route path=path!("/") view=OverviewPage ssr=SsrMode::Async />
                    <Route path=path!("/catalog") view=CatalogPage ssr=SsrMode::Async />
                    <Route path=path!("/catalog/models/:id") view=ModelPage ssr=SsrMode::Async />
                    <Route path=path!("/catalog/versions/:id") view=VersionPage ssr=SsrMode::Async />
                    <Route path=path!("/registries") view=RegistriesPage ssr=SsrMode::Async />
                    <Route path=path!("/registries/new") view=NewRegistryPage ssr=SsrMode::Async />
                    <Route path=path!("/registries/:id") view=RegistryPage ssr=SsrMode::Async />
                    <Route path=path!("/approvals") view=ApprovalsPage ssr=SsrMode::Async />
                    <Route path=path!("/requests") view=RequestsPage ssr=SsrMode::Async />
                    <Route path=path!("/changes") view=ChangesPage ssr=SsrMode::Async />
                    <Route path=path!("/changes/:id") view=ChangePage ssr=SsrMode::Async />
                    <Route path=path!("/deployments") view=DeploymentsPage ssr=SsrMode::Async />
                    <Route path=path!("/deployments/:cluster/:namespace/:name") view=DeploymentPage ssr=SsrMode::Async />
                    <Route path=path!("/deployments/:cluster/:namespace/:name/:ask") view=AskPage ssr=SsrMode::Async />
                    <Route path=path!("/deployments/:cluster/:namespace/:name/:ask/:revision") view=AskPage ssr=SsrMode::Async />
                    <Route path=path!("/deploy/:draft/:step") view=WizardPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters") view=ClustersPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters/:name") view=ClusterPage ssr=SsrMode::Async />
                    <Route path=path!("/audit") view=AuditPage ssr=SsrMode::Async />
                    <Route path=path!("/audit/:seq") view=RecordPage ssr=SsrMode::Async />
                </Routes>
            </Frame>
        </Router>
    }
}

#[component]
fn NotFound() -> impl IntoView {
    use crate::components::ErrorState;
    view! { <ErrorState kind=domain::Kind::NotFound message="there is no such page".to_owned() remedy=Some("Check the address, or begin at the overview.".to_owned()) /> }
}
