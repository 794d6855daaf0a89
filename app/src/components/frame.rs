//! Around every page: masthead, navigation, and where the page itself goes.

use crate::{Theme, load};
use domain::access::Role;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use services::{Caller, authz::Action, changes::COUNTED};

/// A navigation entry.
struct Entry {
    href: &'static str,
    words: &'static str,
    /// Other addresses that belong to it.
    others: &'static [&'static str],
    /// What one has to be allowed for the page to be of use; `None`: for everybody.
    needs: Option<Action>,
}

const fn entry(
    href: &'static str,
    words: &'static str,
    others: &'static [&'static str],
    needs: Option<Action>,
) -> Entry {
    Entry {
        href,
        words,
        others,
        needs,
    }
}

const NAVIGATION: [Entry; 8] = [
    entry("/", "Overview", &[], None),
    entry("/catalog", "Catalogue", &[], None),
    entry("/deployments", "Deployments", &[], None),
    entry("/approvals", "Approvals", &["/changes"], None),
    entry("/requests", "My requests", &["/deploy/"], None),
    entry(
        "/registries",
        "Registries",
        &[],
        Some(Action::ViewRegistries),
    ),
    entry("/clusters", "Clusters", &[], Some(Action::ViewClusters)),
    entry("/audit", "Audit", &[], Some(Action::ViewAudit)),
];

/// How much waits, in words as short as a badge needs.
pub fn counted(waiting: usize) -> String {
    match waiting {
        COUNTED.. => format!("{}+", COUNTED - 1),
        n => n.to_string(),
    }
}

#[component]
pub fn Frame(children: Children) -> impl IntoView {
    let location = use_location();
    let path = location.pathname.get_untracked();
    let search = location.search.get_untracked();
    let here = if search.is_empty() {
        path.clone()
    } else {
        format!("{path}?{}", search.trim_start_matches('?'))
    };
    let who = load::caller();
    view! {
        <div class="pf-v6-c-page gh-page">
            <a class="gh-skip pf-v6-c-button pf-m-primary" href="#main">"Skip to content"</a>
            <header class="gh-masthead">
                <a class="gh-logo" href="/"><Mark />"Gatehouse"</a>
                {who.is_some().then(|| view! {
                    <form class="gh-search" action="/catalog" method="get" role="search">
                        <span class="pf-v6-c-form-control">
                            <input type="search" name="q" aria-label="Search the catalogue" placeholder="Search the catalogue" autocomplete="off" data-key="f" data-key-words="search the catalogue" />
                        </span>
                        <button class="pf-v6-c-button pf-m-secondary" type="submit"><span class="pf-v6-c-button__text">"Search"</span></button>
                    </form>
                })}
                <div class="gh-masthead-content">{account(who.clone(), here)}</div>
            </header>
            <div class="gh-side">{who.map(|c| navigation(c, path))}</div>
            <div class="gh-main"><main id="main" class="pf-v6-c-page__main" tabindex="-1">{children()}</main></div>
        </div>
        <crate::islands::Keys />
        <crate::islands::Palette />
        <crate::islands::Zone />
    }
}

/// The product's mark: a gate with a tick.
#[component]
fn Mark() -> impl IntoView {
    view! {
        <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="7" fill="#06c" />
            <path d="M7 26V14a9 9 0 0 1 18 0v12" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" />
            <path d="M11.5 19.5l3.5 3.5 6-7" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" />
        </svg>
    }
}

/// A role as people say it.
pub fn role_words(role: Role) -> &'static str {
    match role {
        Role::PlatformEngineer => "Platform engineer",
        Role::AiEngineer => "AI engineer",
        Role::ApplicationDeveloper => "Application developer",
        Role::DevopsEngineer => "DevOps engineer",
        Role::SecurityEngineer => "Security engineer",
        Role::Approver => "Approver",
        Role::Auditor => "Auditor",
    }
}

/// Who is signed in, as what, and what they can set: a menu that opens without JavaScript.
fn account(who: Option<Caller>, here: String) -> AnyView {
    let chosen = use_context::<Theme>().unwrap_or_default();
    let themes: Vec<AnyView> = [(Theme::Auto, "auto", "System"), (Theme::Light, "light", "Light"), (Theme::Dark, "dark", "Dark")]
        .into_iter()
        .map(|(theme, value, words)| view! { <button type="submit" name="theme" value=value aria-pressed=(theme == chosen).to_string()>{words}</button> }.into_any())
        .collect();
    let (name, person) = match who {
        None => ("Settings".to_owned(), None),
        Some(c) => {
            let mut grants: Vec<String> = c
                .grants
                .iter()
                .map(|g| {
                    let all = |list: &[String], word: &str| {
                        if list.iter().any(|x| x == "*") {
                            format!("all {word}")
                        } else {
                            list.join(", ")
                        }
                    };
                    format!(
                        "{}: {}, {}",
                        role_words(g.role),
                        all(&g.units, "units"),
                        all(&g.environments, "environments")
                    )
                })
                .collect();
            grants.dedup();
            let roles: Vec<AnyView> = grants
                .into_iter()
                .map(|g| view! { <li>{g}</li> }.into_any())
                .collect();
            let none = roles
                .is_empty()
                .then_some("None of your groups has a role here.");
            let zone = c.zone.clone();
            let person = view! {
                <div><p class="gh-who">{c.name.clone()}</p><p class="gh-muted gh-small">{c.username}{c.email.map(|e| format!(" · {e}"))}</p></div>
                <div><h2>"Roles"</h2><ul class="gh-plain-list gh-small" role="list">{roles}</ul>{none}</div>
                <div class="gh-muted gh-small">{format!("Times are shown in {zone}.")}</div>
            };
            (c.name, Some(person))
        }
    };
    let signed_in = person.is_some();
    view! {
        <details class="gh-drop">
            <summary>{name}</summary>
            <div>
                {person}
                <form method="post" action="/theme">
                    <h2>"Theme"</h2>
                    <input type="hidden" name="return_to" value=here />
                    <div class="gh-choice">{themes}</div>
                </form>
                {signed_in.then(|| view! {
                    <form method="post" action="/signout"><button class="pf-v6-c-button pf-m-secondary" type="submit"><span class="pf-v6-c-button__text">"Sign out"</span></button></form>
                })}
            </div>
        </details>
    }
    .into_any()
}

/// The navigation with what waits: beside the page, and for narrow screens as a menu.
fn navigation(caller: Caller, path: String) -> AnyView {
    let services = load::services();
    let links = async move {
        // A count that cannot be had is left out; the page itself says what is wrong.
        let waiting = services.changes.queue_count(&caller).await.unwrap_or(0);
        let entries: Vec<&Entry> = NAVIGATION
            .iter()
            .filter(|e| {
                e.needs
                    .is_none_or(|a| services.ctx.policy.may_anywhere(&caller, a))
            })
            .collect();
        let now = entries
            .iter()
            .find(|e| is_current(e, &path))
            .map_or("Menu", |e| e.words);
        view! {
            <details class="gh-menu">
                <summary>{now}<span class="pf-v6-screen-reader">", menu"</span></summary>
                <nav class="gh-nav" aria-label="Main, small screens">{list(&entries, &path, waiting)}</nav>
            </details>
            <nav class="gh-nav" aria-label="Main">{list(&entries, &path, waiting)}</nav>
        }
    };
    view! { <Suspense fallback=|| ()>{Suspend::new(links)}</Suspense> }.into_any()
}

fn is_current(entry: &Entry, path: &str) -> bool {
    if entry.href == "/" {
        return path == "/";
    }
    let within = |p: &str| {
        path == p
            || path
                .strip_prefix(p)
                .is_some_and(|rest| p.ends_with('/') || rest.starts_with('/'))
    };
    within(entry.href) || entry.others.iter().any(|o| within(o))
}

fn list(entries: &[&Entry], path: &str, waiting: usize) -> AnyView {
    let items: Vec<AnyView> = entries
        .iter()
        .map(|entry| {
            let (href, words) = (entry.href, entry.words);
            let current = is_current(entry, path).then_some(if path == href { "page" } else { "true" });
            let badge = (href == "/approvals" && waiting > 0).then(|| {
                let n = counted(waiting);
                view! { <span class="gh-badge">{n}<span class="pf-v6-screen-reader">" waiting for you"</span></span> }
            });
            view! { <li><a href=href aria-current=current>{words}{badge}</a></li> }.into_any()
        })
        .collect();
    view! { <ul role="list">{items}</ul> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_counted_is_said_to_be_more() {
        assert_eq!(counted(COUNTED - 1), "99");
        assert_eq!(counted(COUNTED), "99+");
    }

    #[test]
    fn a_page_belongs_to_one_entry() {
        for (path, words) in [
            ("/", "Overview"),
            ("/catalog/models/1", "Catalogue"),
            ("/changes/1", "Approvals"),
            ("/deploy/1/use", "My requests"),
            ("/deployments/a/b/c", "Deployments"),
        ] {
            let found: Vec<&str> = NAVIGATION
                .iter()
                .filter(|e| is_current(e, path))
                .map(|e| e.words)
                .collect();
            assert_eq!(found, [words], "{path}");
        }
    }
}
