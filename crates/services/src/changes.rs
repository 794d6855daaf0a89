//! Changes: asked for, decided, held, withdrawn, expired.

mod decide;
mod request;
mod sweep;
mod view;

pub use decide::MAX_REASON;
pub(crate) use request::not_yours;
pub use request::{Ask, MAX_COMMENT, MAX_OWNER, MAX_PURPOSE, Submission};
pub use view::{COUNTED, ChangeView, DecisionView, PersonName, QueueView};

use crate::Ctx;

#[derive(Clone)]
pub struct Changes(pub(crate) Ctx);
