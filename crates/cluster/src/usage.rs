//! How much of each node is asked for, kept as a running sum: fifty thousand pods must not be added
//! up for each page.

use domain::quantity::Quantity;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// What one pod asks for. Many pods ask for the same, so the list is shared.
pub(crate) type Requests = Arc<[(Arc<str>, Quantity)]>;

/// Sums by node and resource.
#[derive(Default)]
pub(crate) struct Usage(HashMap<Arc<str>, BTreeMap<Arc<str>, Quantity>>);

impl Usage {
    pub fn add(&mut self, node: &Arc<str>, requests: &Requests) {
        let sums = self.0.entry(node.clone()).or_default();
        for (resource, amount) in requests.iter() {
            let sum = sums.entry(resource.clone()).or_default();
            *sum = *sum + *amount;
        }
    }

    pub fn remove(&mut self, node: &Arc<str>, requests: &Requests) {
        let Some(sums) = self.0.get_mut(node) else {
            return;
        };
        for (resource, amount) in requests.iter() {
            if let Some(sum) = sums.get_mut(resource) {
                *sum = *sum - *amount;
                if sum.milli() <= 0 {
                    sums.remove(resource);
                }
            }
        }
        if sums.is_empty() {
            self.0.remove(node);
        }
    }

    /// As Kubernetes would write the sums.
    pub fn of(&self, node: &str) -> BTreeMap<String, String> {
        self.0
            .get(node)
            .into_iter()
            .flatten()
            .map(|(r, q)| (r.to_string(), q.show(r)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_pods_that_come_and_go() {
        let q = |t| Quantity::parse(t).unwrap();
        let node: Arc<str> = "gpu-0".into();
        let a: Requests = [("cpu".into(), q("500m")), ("nvidia.com/gpu".into(), q("2"))].into();
        let b: Requests = [("cpu".into(), q("1"))].into();
        let mut usage = Usage::default();
        usage.add(&node, &a);
        usage.add(&node, &b);
        assert_eq!(
            usage.of("gpu-0"),
            [
                ("cpu".into(), "1500m".into()),
                ("nvidia.com/gpu".into(), "2".into())
            ]
            .into()
        );
        usage.remove(&node, &a);
        assert_eq!(usage.of("gpu-0"), [("cpu".into(), "1".into())].into());
        usage.remove(&node, &b);
        assert!(usage.of("gpu-0").is_empty() && usage.0.is_empty());
    }
}
