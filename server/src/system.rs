//! The system's clock and randomness, the only place that asks for them.

use domain::Micros;
use rand::Rng as _;
use services::ports::{Clock, Entropy};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        // A clock before 1970 shows as 1970; nothing of ours was made before.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness, by way of a cryptographic generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }

    /// UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits, so that ids sort by time.
    fn uuid(&self) -> uuid::Uuid {
        let millis = u64::try_from(SystemClock.now().0 / 1000).unwrap_or_default();
        let mut random = [0u8; 10];
        self.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// 32 random bytes as URL-safe text: states, nonces, request ids.
pub fn token(entropy: &dyn Entropy) -> String {
    use base64::Engine as _;
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_differ() {
        let (a, b) = (SystemEntropy.uuid(), SystemEntropy.uuid());
        assert_eq!(a.get_version_num(), 7);
        assert_ne!(a, b);
    }
}
