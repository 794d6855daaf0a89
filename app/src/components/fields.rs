use super::Tone;
use crate::load::form_state;
use leptos::prelude::*;

/// Something that is said of a field, beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// [`Tone::Bad`]: the field cannot stay as it is.
    pub tone: Tone,
    pub text: String,
}

/// What stands below a field: what is wrong, what is worth knowing, and the help unless something is wrong.
struct Below {
    view: AnyView,
    bad: bool,
    /// The id to describe the field by, where there is anything.
    id: Option<String>,
}

fn below(name: &str, help: Option<String>, problem: Option<String>, remarks: &[Remark]) -> Below {
    let refused = form_state().problem(name).map(str::to_owned).or(problem);
    let mut all: Vec<Remark> = refused
        .into_iter()
        .map(|text| Remark {
            tone: Tone::Bad,
            text,
        })
        .collect();
    for r in remarks {
        if !all.contains(r) {
            all.push(r.clone());
        }
    }
    remarks_below(name, help, &all)
}

/// The element that describes a field or a row of fields.
fn remarks_below(name: &str, help: Option<String>, all: &[Remark]) -> Below {
    let bad = all.iter().any(|r| r.tone == Tone::Bad);
    let mut items: Vec<AnyView> = all
        .iter()
        .map(|r| {
            let (class, word) = match r.tone {
                Tone::Bad => ("pf-v6-c-helper-text__item pf-m-error", None),
                Tone::Warn => ("pf-v6-c-helper-text__item pf-m-warning", Some("Warning: ")),
                _ => ("pf-v6-c-helper-text__item", Some("Note: ")),
            };
            let text = super::ticked(&r.text);
            view! { <div class=class><span class="pf-v6-c-helper-text__item-text">{word}{text}</span></div> }.into_any()
        })
        .collect();
    if let Some(help) = help.filter(|_| !bad) {
        items.push(view! { <div class="pf-v6-c-helper-text__item"><span class="pf-v6-c-helper-text__item-text">{super::ticked(&help)}</span></div> }.into_any());
    }
    if items.is_empty() {
        return Below {
            view: ().into_any(),
            bad,
            id: None,
        };
    }
    let id = format!("{name}-help");
    Below {
        view: view! { <div class="pf-v6-c-form__helper-text" id=id.clone()><div class="pf-v6-c-helper-text">{items}</div></div> }.into_any(),
        bad,
        id: Some(id),
    }
}

/// Text for cells without a group of their own: the view, the id to describe them by.
pub fn remarks(name: &str, all: &[Remark]) -> (AnyView, Option<String>) {
    let below = remarks_below(name, None, all);
    (below.view, below.id)
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
    /// What checks say of it.
    #[prop(optional)]
    remarks: Vec<Remark>,
    #[prop(optional)] required: bool,
    #[prop(optional, into)] kind: Option<&'static str>,
    #[prop(optional, into)] autocomplete: Option<&'static str>,
    /// Id of a `<datalist>` to choose from.
    #[prop(optional, into)]
    list: Option<String>,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let Below {
        view: help_view,
        bad,
        id: described,
    } = below(&name, help, problem, &remarks);
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

/// What a textarea holds, as HTML: there the first line end after the tag is not part of the text.
pub fn text_content(value: String) -> String {
    if value.starts_with(['\n', '\r']) {
        format!("\n{value}")
    } else {
        value
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional_no_strip, into)] problem: Option<String>,
    #[prop(optional)] remarks: Vec<Remark>,
    #[prop(optional)] required: bool,
    #[prop(optional)] rows: Option<u32>,
    #[prop(optional)] code: bool,
    /// The key that puts the cursor here.
    #[prop(optional, into)]
    key: Option<&'static str>,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let Below {
        view: help_view,
        bad,
        id: described,
    } = below(&name, help, problem, &remarks);
    let class = format!(
        "pf-v6-c-form-control pf-m-resize-vertical{}{}",
        if bad { " pf-m-error" } else { "" },
        if code { " gh-code-field" } else { "" }
    );
    let control = view! {
        <span class=class>
            <textarea id=name.clone() name=name.clone() rows=rows.unwrap_or(3).to_string() required=required spellcheck=(!code).to_string()
                aria-invalid=bad.to_string() aria-describedby=described data-key=key data-key-words=key.map(|_| label.clone())>{text_content(value)}</textarea>
        </span>
    }
    .into_any();
    group(name, label, required, control, help_view)
}

/// One of several: (value, words). A value that is none of them is an option of its own: without it the
/// first one would stand there, and be sent, in place of what is meant.
#[component]
pub fn SelectField(
    #[prop(into)] name: String,
    #[prop(into)] label: String,
    options: Vec<(String, String)>,
    #[prop(optional, into)] value: String,
    #[prop(optional, into)] help: Option<String>,
    #[prop(optional_no_strip, into)] problem: Option<String>,
    #[prop(optional)] remarks: Vec<Remark>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let value = form_state().value(&name).map_or(value, str::to_owned);
    let Below {
        view: help_view,
        bad,
        id: described,
    } = below(&name, help, problem, &remarks);
    let class = if bad {
        "pf-v6-c-form-control pf-m-error"
    } else {
        "pf-v6-c-form-control"
    };
    let mut options = options;
    if !value.is_empty() && !options.iter().any(|(v, _)| *v == value) {
        options.push((value.clone(), value.clone()));
    }
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
    /// Sends the form there instead of to its own address, complete or not.
    #[prop(optional, into)]
    action: Option<String>,
    #[prop(optional, into)] id: Option<String>,
    /// The key that presses it.
    #[prop(optional, into)]
    key: Option<&'static str>,
) -> impl IntoView {
    let class = format!("pf-v6-c-button pf-m-{}", kind.unwrap_or("primary"));
    view! {
        <button type="submit" class=class name=name value=value formnovalidate=action.is_some() formaction=action disabled=disabled id=id data-key=key>
            <span class="pf-v6-c-button__text">{text}</span>
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(value: &str) -> String {
        let options = vec![
            (String::new(), "All clusters".to_owned()),
            ("one".to_owned(), "one".to_owned()),
        ];
        Owner::new().with(|| {
            view! { <SelectField name="cluster" label="Cluster" options=options value=value.to_owned() /> }
                .into_any()
                .to_html()
        })
    }

    /// The options that are marked as chosen, by value.
    fn chosen(html: &str) -> Vec<&str> {
        html.split("<option")
            .skip(1)
            .filter_map(|o| o.split_once('>').map(|(tag, _)| tag))
            .filter(|tag| tag.contains("selected"))
            .filter_map(|tag| tag.split("value=\"").nth(1)?.split('"').next())
            .collect()
    }

    #[test]
    fn a_value_that_is_no_option_stands_there_all_the_same() {
        assert_eq!(chosen(&select("zzz")), ["zzz"]);
        assert_eq!(chosen(&select("one")), ["one"]);
        assert_eq!(select("one").matches("<option").count(), 2);
        assert_eq!(select("").matches("<option").count(), 2);
    }
}
