//! Names held once: ten thousand deployments live in a few dozen namespaces.

use std::{collections::BTreeSet, sync::Arc};

/// Namespace and name of an object; the namespace is empty for what belongs to the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

/// Gives equal texts one allocation.
#[derive(Default)]
pub(crate) struct Interner(BTreeSet<Arc<str>>);

impl Interner {
    pub fn get(&mut self, text: &str) -> Arc<str> {
        match self.0.get(text) {
            Some(known) => known.clone(),
            None => {
                let new: Arc<str> = text.into();
                self.0.insert(new.clone());
                new
            }
        }
    }
}
