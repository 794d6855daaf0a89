use crate::load::form_state;
use leptos::prelude::*;

fn helper(name: &str, help: Option<String>, extra_problem: Option<String>) -> (AnyView, bool) {
    let problem = form_state()
        .problem(name)
        .map(str::to_owned)
        .or(extra_problem);
    let bad = problem.is_some();
    let id = format!("{name}-help");
    let view = match (problem, help) {
        (Some(p), _) => view! {
            <div class="pf-v6-c-form__helper-text" id=id><div class="pf-v6-c-helper-text"><div class="pf-v6-c-helper-text__item pf-m-error">
                <span class="pf-v6-c-helper-text__item-text">{p}</span>
            </div></div></div>
        }
        .into_any(),
        (None, Some(h)) => view! {
            <div class="pf-v6-c-form__helper-text" id=id><div class="pf-v6-c-helper-text"><div class="pf-v6-c-helper-text__item">
                <span class="pf-v6-c-helper-text__item-text">{h}</span>
            </div></div></div>
        }
        .into_any(),
        (None, None) => ().into_any(),
    };
    (view, bad)
}

fn group(
    name: String,
    label: String,
    required: bool,
    control: AnyView,
    helper: AnyView,
) -> impl IntoView {
    view! {
        <div class="pf-v6-c-form__group">
            <div class="pf-v6-c-form__group-label">
                <label class="pf-v6-c-form__label" for=name>
                    <span class="pf-v6-c-form__label-text">{label}</span>
                    {required.then(|| view! { <span class="pf-v6-c-form__label-required" aria-hidden="true">" *"</span> })}
                </label>
            </div>
            <div class="pf-v6-c-form__group-control">{control}{helper}</div>
        </div>
    }
}

/// A line of text. The value typed into a refused form wins over `value`.
#[component]
pub fn TextField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    /// What is wrong with it, where the page knows it itself.
    #[prop(optional_no_strip, into)]
    problem: Option<String>,
    #[prop(optional)] required: bool,
    #[prop(optional, into)] kind: Option<&'static str>,
    #[prop(optional, into)] autocomplete: Option<&'static str>,
    /// Names of a `<datalist>` to choose from.
    #[prop(optional, into)]
    list: Option<String>,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let (help_view, bad) = helper(&name, help, problem);
    let described = format!("{name}-help");
    let class = if bad {
        "pf-v6-c-form-control pf-m-error"
    } else {
        "pf-v6-c-form-control"
    };
    let control = view! {
        <span class=class>
            <input type=kind.unwrap_or("text") id=name.clone() name=name.clone() value=value required=required
                aria-invalid=bad.to_string() aria-describedby=described autocomplete=autocomplete.unwrap_or("off") list=list />
        </span>
    }
    .into_any();
    group(name, label, required, control, help_view)
}

/// Several lines of text.
#[component]
pub fn TextArea(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional_no_strip, into)] problem: Option<String>,
    #[prop(optional)] required: bool,
    #[prop(optional)] rows: Option<u32>,
    #[prop(optional)] code: bool,
    /// The key that puts the cursor here.
    #[prop(optional, into)]
    key: Option<&'static str>,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let (help_view, bad) = helper(&name, help, problem);
    let described = format!("{name}-help");
    let class = format!(
        "pf-v6-c-form-control pf-m-resize-vertical{}{}",
        if bad { " pf-m-error" } else { "" },
        if code { " gh-code-field" } else { "" }
    );
    let control = view! {
        <span class=class>
            <textarea id=name.clone() name=name.clone() rows=rows.unwrap_or(3).to_string() required=required spellcheck=(!code).to_string()
                aria-invalid=bad.to_string() aria-describedby=described data-key=key data-key-words=key.map(|_| label.clone())>{value}</textarea>
        </span>
    }
    .into_any();
    group(name, label, required, control, help_view)
}

/// One of several: (value, words).
#[component]
pub fn SelectField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    options: Vec<(String, String)>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional_no_strip, into)] problem: Option<String>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let (help_view, bad) = helper(&name, help, problem);
    let described = format!("{name}-help");
    let class = if bad {
        "pf-v6-c-form-control pf-m-error"
    } else {
        "pf-v6-c-form-control"
    };
    let control = view! {
        <span class=class>
            <select id=name.clone() name=name.clone() required=required aria-invalid=bad.to_string() aria-describedby=described>
                {options.into_iter().map(|(v, words)| {
                    let selected = v == value;
                    view! { <option value=v selected=selected>{words}</option> }
                }).collect_view()}
            </select>
            <span class="pf-v6-c-form-control__utilities" aria-hidden="true"><span class="pf-v6-c-form-control__toggle-icon gh-caret"></span></span>
        </span>
    }
    .into_any();
    group(name, label, required, control, help_view)
}

/// A value that goes along.
#[component]
pub fn Hidden(#[prop(into)] name: String, #[prop(into)] value: String) -> impl IntoView {
    view! { <input type="hidden" name=name value=value /> }
}

/// The button that sends the form. `name`/`value` tell which of several was pressed.
#[component]
pub fn Submit(
    #[prop(into)] text: String,
    /// `primary`, `secondary`, `danger`, `link`
    #[prop(optional, into)]
    kind: Option<&'static str>,
    #[prop(optional, into)] name: Option<String>,
    #[prop(optional, into)] value: Option<String>,
    #[prop(optional)] disabled: bool,
    #[prop(optional, into)] id: Option<String>,
    /// The key that presses it.
    #[prop(optional, into)]
    key: Option<&'static str>,
) -> impl IntoView {
    let class = format!("pf-v6-c-button pf-m-{}", kind.unwrap_or("primary"));
    view! {
        <button type="submit" class=class name=name value=value disabled=disabled id=id data-key=key>
            <span class="pf-v6-c-button__text">{text}</span>
        </button>
    }
}
