//! From a request to a page: who asks, the one call of a service, and the page for its answer or its error.

use crate::{components::ErrorState, forms::FormState};
use domain::{Error, Kind, Micros, Result};
use leptos::prelude::*;
use services::{Caller, Services};

/// The services that the server put into the request's context.
pub fn services() -> Services {
    expect_context::<Services>()
}

/// Who is signed in; pages behind the sign-in always have one.
pub fn caller() -> Option<Caller> {
    use_context::<Caller>()
}

/// What was typed into a form that was refused, on the page that is rendered again for it.
pub fn form_state() -> FormState {
    use_context::<FormState>().unwrap_or_default()
}

/// A filter of the address that cannot be: the page still shows its form, filled in as the address has
/// it, with what is wrong beside the fields, and the answer is no success. To be said before the page is
/// loaded.
pub fn refuse_filter(error: &Error) {
    set_status(status_of(error.kind));
    provide_context(FormState::refused([], error));
}

/// The time zone to show instants in.
pub fn zone() -> String {
    with_context::<Caller, _>(|c| c.zone.clone()).unwrap_or_else(|| "UTC".into())
}

/// Now, by the services' clock. A page asks for it again and again: nothing is copied for it.
pub fn now() -> Micros {
    with_context::<Services, _>(|s| s.ctx.clock.now()).unwrap_or_else(|| services().ctx.clock.now())
}

/// Loads a page's data and renders it; an error becomes the page, with its status code.
pub fn load<T, Fut, V>(
    call: impl FnOnce(Services, Caller) -> Fut,
    render: impl FnOnce(T) -> V + Send + 'static,
) -> impl IntoView
where
    T: Send + 'static,
    Fut: Future<Output = Result<T>> + Send + 'static,
    V: IntoView + 'static,
{
    let answer = caller().map(|c| call(services(), c));
    let owner = Owner::current();
    let page = async move {
        let answer = match answer {
            Some(future) => future.await,
            None => Err(Error::forbidden("you are not signed in")
                .remedy("Sign in and open this page again.")),
        };
        let show = move || match answer {
            Ok(data) => render(data).into_any(),
            Err(e) => {
                set_status(status_of(e.kind));
                view! { <ErrorState kind=e.kind message=e.message.clone() remedy=e.remedy.clone() /> }.into_any()
            }
        };
        match owner {
            Some(o) => o.with(show),
            None => show(),
        }
    };
    view! { <Suspense fallback=|| ()>{Suspend::new(page)}</Suspense> }
}

/// Answers with another status than 200.
pub fn set_status(code: u16) {
    if let (Some(response), Ok(status)) = (
        use_context::<leptos_axum::ResponseOptions>(),
        http::StatusCode::from_u16(code),
    ) {
        response.set_status(status);
    }
}

/// The status code of an error.
pub fn status_of(kind: Kind) -> u16 {
    match kind {
        Kind::Invalid => 422,
        Kind::NotFound => 404,
        Kind::Forbidden | Kind::SignInAgain => 403,
        Kind::Conflict => 409,
        Kind::TooLarge => 413,
        Kind::TooMany => 429,
        Kind::Unavailable => 503,
        Kind::Internal => 500,
    }
}
