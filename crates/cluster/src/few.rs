//! The few children of one deployment, by name. A map's node would cost more than what is in it.

use crate::pack::Packed;
use std::sync::Arc;

/// Packed values by name, in the order in which they came.
pub(crate) struct Few<T>(Vec<(Arc<str>, Packed<T>)>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Few<T> {
    pub fn get(&self, name: &str) -> Option<&Packed<T>> {
        self.0.iter().find(|(n, _)| **n == *name).map(|(_, v)| v)
    }

    /// Puts it in its place, or last where it is new.
    pub fn put(&mut self, name: &Arc<str>, value: Packed<T>) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, known)) => *known = value,
            None => {
                self.0.reserve_exact(1);
                self.0.push((name.clone(), value));
            }
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| **n != *name);
    }

    /// Takes the oldest away when there are more than `most`; its name.
    pub fn limit(&mut self, most: usize) -> Option<Arc<str>> {
        (self.0.len() > most).then(|| self.0.remove(0).0)
    }

    pub fn values(&self) -> impl Iterator<Item = &Packed<T>> {
        self.0.iter().map(|(_, v)| v)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
