//! Values on their way into a query. Both databases know three types: whole numbers, text and bytes.

use domain::{Micros, ids::*};

/// One bound value; the variant tells the database the type of an absent one.
#[derive(Clone)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// Something that can be bound.
pub(crate) trait IntoArg {
    fn arg(self) -> Arg;
    /// The absent value of its type.
    fn none() -> Arg;
}

impl<T: IntoArg> From<T> for Arg {
    fn from(value: T) -> Self {
        value.arg()
    }
}

/// Of an option: implemented apart from `IntoArg` so that both `T` and `Option<T>` can be bound.
impl<T: IntoArg> From<Option<T>> for Arg {
    fn from(value: Option<T>) -> Self {
        value.map_or_else(T::none, T::arg)
    }
}

macro_rules! bind {
    ($variant:ident: $($type:ty = $convert:expr),+ $(,)?) => {$(
        impl IntoArg for $type {
            fn arg(self) -> Arg {
                let convert: fn($type) -> _ = $convert;
                Arg::$variant(Some(convert(self)))
            }
            fn none() -> Arg {
                Arg::$variant(None)
            }
        }
    )+};
}

bind!(Int: i64 = |v| v, i32 = i64::from, u32 = i64::from, Micros = |v| v.0);
bind!(Text: &str = str::to_owned, String = |v| v, &String = String::clone, Digest = |v| v.as_str().to_owned(),
    &Digest = |v| v.as_str().to_owned(), ClusterId = |v| v.0, &ClusterId = |v| v.0.clone());
bind!(Text: PersonId = text, AccountId = text, RegistryId = text, ModelId = text, VersionId = text, DraftId = text,
    ChangeId = text, RevisionId = text, ItemId = text, DecisionId = text, JobId = text, RecordId = text);
bind!(Bytes: Vec<u8> = |v| v, &[u8] = <[u8]>::to_vec, &Vec<u8> = Vec::clone);

fn text(id: impl std::fmt::Display) -> String {
    id.to_string()
}

/// The values of a query, in the order of `$1`, `$2`…
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::arg::Arg::from($value)),*] };
}
pub(crate) use args;
