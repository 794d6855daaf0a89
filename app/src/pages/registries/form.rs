//! The form that adds or changes a registry. It works without JavaScript: there are always a few
//! empty rules, and an empty one is left out.

use crate::{
    components::*,
    load::{form_state, load},
};
use domain::Error;
use leptos::prelude::*;
use services::ports::{RegistryRow, SyncRule, TagFilter};

/// Empty rows for further rules.
const SPARE: usize = 3;

#[component]
pub fn NewRegistryPage() -> impl IntoView {
    load(
        |s, c| async move {
            if s.registries.rights(&c).manage {
                Ok(())
            } else {
                Err(
                    Error::forbidden("your roles do not allow adding registries")
                        .remedy("Ask a platform engineer."),
                )
            }
        },
        |()| {
            view! {
                <PageHeader title="Add a registry" crumbs=vec![Crumb::new("Registries", "/registries")] subtitle=view! { "The console asks the registry itself before it is stored." }.into_any() />
                <section class="pf-v6-c-page__main-section gh-stack"><FormAlert />{fields(None)}</section>
            }
        },
    )
}

/// A rule as the form has it.
#[derive(Clone, Default)]
struct Line {
    repository: String,
    kind: String,
    tag: String,
    on: bool,
}

impl Line {
    fn of(rule: &SyncRule) -> Self {
        let (kind, tag) = match &rule.tag {
            None => ("all", String::new()),
            Some(TagFilter::Exact(t)) => ("exact", t.clone()),
            Some(TagFilter::Prefix(t)) => ("prefix", t.clone()),
            Some(TagFilter::Regex(t)) => ("regex", t.clone()),
        };
        Self {
            repository: rule.repository.clone(),
            kind: kind.into(),
            tag,
            on: rule.enabled,
        }
    }
}

/// What was typed, else what is stored, and a few empty lines.
fn lines(stored: Option<&RegistryRow>) -> Vec<Line> {
    let typed = form_state();
    let mut lines: Vec<Line> = if typed.values.contains_key("rule_repository") {
        let cell = |name: &str, i: usize| typed.all(name).get(i).cloned().unwrap_or_default();
        (0..typed.all("rule_repository").len())
            .map(|i| Line {
                repository: cell("rule_repository", i),
                kind: cell("rule_kind", i),
                tag: cell("rule_tag", i),
                on: cell("rule_on", i) != "off",
            })
            .collect()
    } else {
        match stored {
            Some(r) => r.rules.iter().map(Line::of).collect(),
            None => vec![Line {
                repository: "models/**".into(),
                kind: "all".into(),
                on: true,
                ..Default::default()
            }],
        }
    };
    while lines
        .last()
        .is_some_and(|l| l.repository.trim().is_empty() && l.tag.trim().is_empty())
    {
        lines.pop();
    }
    lines.extend((0..SPARE).map(|_| Line {
        kind: "all".into(),
        on: true,
        ..Default::default()
    }));
    lines
}

/// The whole form; `stored` is the registry that it changes.
pub fn fields(stored: Option<&RegistryRow>) -> AnyView {
    let action = stored.map_or_else(
        || "/registries/new".to_owned(),
        |r| format!("/registries/{}", r.id),
    );
    let text = |get: fn(&RegistryRow) -> String| stored.map(get).unwrap_or_default();
    let has_secret = stored.is_some_and(|r| r.secret.is_some());
    let password_help = if has_secret {
        "One is stored. Leave this empty to keep it; it is never shown again."
    } else {
        "Encrypted when stored, and never shown again."
    };
    let minutes = stored.map_or_else(|| "10".to_owned(), |r| r.sync_minutes.to_string());
    let rules: Vec<AnyView> = lines(stored)
        .into_iter()
        .enumerate()
        .map(|(i, l)| line(i, l))
        .collect();
    let cancel = "/registries".to_owned();
    view! {
        <form method="post" action=action class="pf-v6-c-form gh-form">
            {stored.map(|r| view! { <Hidden name="version" value=r.version.to_string() /> })}
            <TextField name="name" label="Name" value=text(|r| r.name.clone()) required=true help="Lower-case letters, digits and hyphens; the catalogue shows it." />
            <TextField name="url" label="Address" value=text(|r| r.url.clone()) required=true kind="url" help="Such as https://registry.example.org:5000, without a path." />
            <TextField name="username" label="User" value=text(|r| r.username.clone().unwrap_or_default()) help="Empty: it is read without signing in." />
            {password(password_help)}
            <TextField name="sync_minutes" label="Minutes between syncs" value=minutes required=true kind="number" help="It is also synced when the registry sends a notification." />
            <TextArea name="ca_pem" label="Certificates" value=text(|r| r.ca_pem.clone().unwrap_or_default()) code=true help="Only when its certificate is signed by an authority of your own: PEM, trusted for this registry besides the system’s." />
            <fieldset class="gh-fieldset" id="rules">
                <legend>"What is taken"</legend>
                <p class="gh-muted">"A repository is taken when one of these rules names it: * stands for one part of its name, ** for any number. Rows without a repository are left out; save to get more of them."</p>
                {rules}
            </fieldset>
            <div class="gh-actions">
                <Submit text=if stored.is_some() { "Check and save" } else { "Check and add" } />
                <a class="pf-v6-c-button pf-m-link" href=cancel>"Cancel"</a>
            </div>
        </form>
    }
    .into_any()
}

/// A password is the one field that is not given back: it has to be typed again, and the page says so.
fn password(help: &'static str) -> AnyView {
    let state = form_state();
    let problem = state.problem("password").map(str::to_owned);
    let bad = problem.is_some();
    let class = if bad {
        "pf-v6-c-form-control pf-m-error"
    } else {
        "pf-v6-c-form-control"
    };
    let again = state
        .value("password_typed")
        .is_some()
        .then(|| "Type it again: passwords are not kept in a page that was refused.".to_owned());
    let said = [
        problem.map(|p| ("pf-v6-c-helper-text__item pf-m-error", p)),
        again.map(|a| ("pf-v6-c-helper-text__item pf-m-warning", a)),
        (!bad).then(|| ("pf-v6-c-helper-text__item", help.to_owned())),
    ];
    let items: Vec<AnyView> = said
        .into_iter()
        .flatten()
        .map(|(class, text)| {
            view! { <div class=class><span class="pf-v6-c-helper-text__item-text">{text}</span></div> }.into_any()
        })
        .collect();
    view! {
        <div class="pf-v6-c-form__group">
            <div class="pf-v6-c-form__group-label"><label class="pf-v6-c-form__label" for="password"><span class="pf-v6-c-form__label-text">"Password"</span></label></div>
            <div class="pf-v6-c-form__group-control">
                <span class=class><input type="password" id="password" name="password" autocomplete="new-password" aria-invalid=bad.to_string() aria-describedby="password-help" /></span>
                <div class="pf-v6-c-form__helper-text" id="password-help"><div class="pf-v6-c-helper-text">{items}</div></div>
            </div>
        </div>
    }
    .into_any()
}

fn line(i: usize, l: Line) -> AnyView {
    let state = form_state();
    let (repository_id, tag_id) = (format!("rules.{i}.repository"), format!("rules.{i}.tag"));
    let problem = |id: &str| state.problem(id).map(str::to_owned);
    let (bad_repository, bad_tag) = (problem(&repository_id), problem(&tag_id));
    let control = |bad: bool| {
        if bad {
            "pf-v6-c-form-control pf-m-error"
        } else {
            "pf-v6-c-form-control"
        }
    };
    let select = |name: &'static str, value: &str, options: &[(&'static str, &'static str)]| {
        let options: Vec<AnyView> = options
            .iter()
            .map(|(v, words)| {
                view! { <option value=*v selected=*v == value>{*words}</option> }.into_any()
            })
            .collect();
        view! {
            <span class="pf-v6-c-form-control"><select name=name>{options}</select>
            <span class="pf-v6-c-form-control__utilities" aria-hidden="true"><span class="pf-v6-c-form-control__toggle-icon gh-caret"></span></span></span>
        }
    };
    let kind = select(
        "rule_kind",
        &l.kind,
        &[
            ("all", "all"),
            ("exact", "is"),
            ("prefix", "begins with"),
            ("regex", "matches"),
        ],
    );
    let on = select(
        "rule_on",
        if l.on { "on" } else { "off" },
        &[("on", "on"), ("off", "off")],
    );
    let n = i + 1;
    let label = |words: &'static str| view! { <span class="pf-v6-c-form__label-text">{words}<span class="pf-v6-screen-reader">{format!(" of rule {n}")}</span></span> };
    let problems: Vec<AnyView> = [bad_repository.clone(), bad_tag.clone()]
        .into_iter()
        .flatten()
        .map(|p| view! { <p class="gh-problem">{p}</p> }.into_any())
        .collect();
    view! {
        <div class="gh-env-row">
            <label class="gh-env-cell">{label("Repository")}
                <span class=control(bad_repository.is_some())><input type="text" id=repository_id name="rule_repository" value=l.repository autocomplete="off" placeholder="models/**" aria-invalid=bad_repository.is_some().to_string() /></span>
            </label>
            <label class="gh-env-cell">{label("Tag")}{kind}</label>
            <label class="gh-env-cell">{label("Tag’s text")}
                <span class=control(bad_tag.is_some())><input type="text" id=tag_id name="rule_tag" value=l.tag autocomplete="off" aria-invalid=bad_tag.is_some().to_string() /></span>
            </label>
            <label class="gh-env-cell">{label("Rule")}{on}</label>
            {problems}
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::FormState;

    fn html(state: FormState) -> String {
        Owner::new().with(|| {
            provide_context(state);
            password("Encrypted when stored.").to_html()
        })
    }

    #[test]
    fn a_password_that_was_not_kept_is_asked_for_again() {
        let again = "Type it again: passwords are not kept";
        let e = Error::field("password", "The registry refuses it.");
        let typed = [("password_typed".to_owned(), "yes".to_owned())];
        let refused = html(FormState::refused(typed, &e));
        assert!(refused.contains(again) && refused.contains("The registry refuses it."));
        assert!(refused.contains("aria-invalid=\"true\""), "{refused}");
        // Who typed none has none to type again.
        let e = Error::field("name", "Choose another name.");
        let none = html(FormState::refused([], &e));
        assert!(!none.contains(again) && none.contains("Encrypted when stored."));
    }
}
