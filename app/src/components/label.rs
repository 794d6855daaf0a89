use domain::{change::ChangeState, state::Code};
use leptos::prelude::*;

/// How a thing stands; colours follow, and words always stand beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warn,
    Info,
    Quiet,
}

impl Tone {
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Quiet => "quiet",
        }
    }
    fn class(self) -> &'static str {
        match self {
            Self::Good => "pf-m-green",
            Self::Bad => "pf-m-red",
            Self::Warn => "pf-m-orange",
            Self::Info => "pf-m-blue",
            Self::Quiet => "pf-m-grey",
        }
    }
}

/// A word with a tone.
#[component]
pub fn Label(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    view! {
        <span class=format!("pf-v6-c-label pf-m-compact {}", tone.class())>
            <span class="pf-v6-c-label__content"><span class="pf-v6-c-label__text">{text}</span></span>
        </span>
    }
}

/// The class of the box that says how something stands.
pub fn standing_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "gh-standing gh-standing-good",
        Tone::Bad => "gh-standing gh-standing-bad",
        Tone::Warn => "gh-standing gh-standing-warn",
        Tone::Info | Tone::Quiet => "gh-standing",
    }
}

/// A deployment's state: tone and word.
pub fn state_label(code: Code) -> (Tone, &'static str) {
    match code {
        Code::Healthy => (Tone::Good, "Healthy"),
        Code::Rolling => (Tone::Info, "Rolling out"),
        Code::Canary => (Tone::Info, "Canary"),
        Code::Starting => (Tone::Info, "Starting"),
        Code::Degraded => (Tone::Warn, "Degraded"),
        Code::OutOfQuota => (Tone::Bad, "Out of quota"),
        Code::Unschedulable => (Tone::Bad, "Cannot be scheduled"),
        Code::Crashing => (Tone::Bad, "Crashing"),
        Code::NoRuntime => (Tone::Bad, "No runtime"),
        Code::Failed => (Tone::Bad, "Failed"),
        Code::Stopped => (Tone::Quiet, "Stopped"),
        Code::Deleting => (Tone::Quiet, "Deleting"),
        Code::Unknown => (Tone::Quiet, "Unknown"),
    }
}

/// A change's state as a tone.
pub fn change_tone(state: ChangeState) -> Tone {
    match state {
        ChangeState::Waiting | ChangeState::Held => Tone::Warn,
        ChangeState::Queued | ChangeState::Applying => Tone::Info,
        ChangeState::Applied => Tone::Good,
        ChangeState::Failed | ChangeState::Rejected => Tone::Bad,
        ChangeState::Withdrawn | ChangeState::Expired => Tone::Quiet,
    }
}
