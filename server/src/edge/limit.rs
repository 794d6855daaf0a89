//! A token bucket for each address, bounded: what may be tried by somebody who is not signed in.

use domain::Micros;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

/// At most so many addresses are remembered; the fullest buckets are forgotten first, for they
/// have nothing against anybody.
const MAX_ADDRESSES: usize = 10_000;

/// `burst` at once, then one each `refill` microseconds.
pub struct RateLimit {
    burst: f64,
    refill: i64,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Micros,
}

impl RateLimit {
    pub fn new(burst: u32, refill: i64) -> Self {
        Self {
            burst: burst.into(),
            refill: refill.max(1),
            buckets: Mutex::default(),
        }
    }

    /// Takes one; `false` when there is none left for this address.
    pub fn allow(&self, address: IpAddr, now: Micros) -> bool {
        let address = network(address);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&address) {
            self.forget(&mut buckets, now);
        }
        let bucket = buckets.entry(address).or_insert(Bucket {
            left: self.burst,
            at: now,
        });
        bucket.left = self.left(bucket, now);
        bucket.at = now;
        let allowed = bucket.left >= 1.0;
        if allowed {
            bucket.left -= 1.0;
        }
        allowed
    }

    fn left(&self, b: &Bucket, now: Micros) -> f64 {
        (b.left + now.since(b.at) as f64 / self.refill as f64).min(self.burst)
    }

    fn forget(&self, buckets: &mut HashMap<IpAddr, Bucket>, now: Micros) {
        buckets.retain(|_, b| self.left(b, now) < self.burst);
        if buckets.len() >= MAX_ADDRESSES {
            // All are in use: the ones that were seen longest ago go, a tenth of them.
            let mut seen: Vec<Micros> = buckets.values().map(|b| b.at).collect();
            seen.sort_unstable();
            let oldest = seen[MAX_ADDRESSES / 10];
            buckets.retain(|_, b| b.at > oldest);
        }
    }
}

/// IPv6 callers own whole networks: one bucket for each /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let s = v6.segments();
            IpAddr::from([s[0], s[1], s[2], s[3], 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let limit = RateLimit::new(2, Micros::SECOND);
        let t = Micros(0);
        assert!(limit.allow(A, t) && limit.allow(A, t) && !limit.allow(A, t));
        let later = t.plus(Micros::SECOND);
        assert!(limit.allow(A, later) && !limit.allow(A, later));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let limit = RateLimit::new(1, Micros::SECOND);
        assert!(limit.allow("2001:db8::1".parse().expect("address"), Micros(0)));
        assert!(!limit.allow("2001:db8::2".parse().expect("address"), Micros(0)));
        assert!(limit.allow("2001:db8:0:1::1".parse().expect("address"), Micros(0)));
    }

    #[test]
    fn memory_is_bounded() {
        let limit = RateLimit::new(2, Micros::HOUR);
        for i in 0..(2 * MAX_ADDRESSES as u32) {
            limit.allow(IpAddr::from(i.to_be_bytes()), Micros(i.into()));
        }
        assert!(limit.buckets.lock().expect("lock").len() <= MAX_ADDRESSES);
    }
}
