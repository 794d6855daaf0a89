//! The design system: PatternFly's markup in components of ours, one file each.

mod alert;
mod card;
mod code;
mod diff;
mod empty;
mod errors;
mod fields;
mod finding;
mod frame;
mod header;
mod label;
mod live;
mod pager;
mod plain;
mod table;
mod terms;
mod ticked;
mod when;

pub use alert::Alert;
pub use card::Card;
pub use code::Code;
pub use diff::{DiffTable, DiffText};
pub use empty::Empty;
pub use errors::{ErrorState, FormAlert, form_alert, sentence};
pub use fields::{Hidden, Remark, SelectField, Submit, TextArea, TextField, remarks, text_content};
pub use finding::{findings, linked_findings, severity};
pub use frame::{Frame, counted};
pub use header::{Crumb, PageHeader};
pub use label::{Label, Tone, change_tone, standing_class, state_label};
pub use live::Live;
pub use pager::Pager;
pub use plain::{alert, card, known, row, table, terms};
pub use table::Table;
pub use terms::{Term, Terms};
pub use ticked::ticked;
pub use when::When;
