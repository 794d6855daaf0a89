//! Instants. The database, the log and the hashes all hold integer microseconds UTC.

use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    pub const SECOND: i64 = 1_000_000;
    pub const MINUTE: i64 = 60 * Self::SECOND;
    pub const HOUR: i64 = 60 * Self::MINUTE;
    pub const DAY: i64 = 24 * Self::HOUR;

    /// This instant moved by so many microseconds.
    pub fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to here; never negative, so that a skewed clock shows as zero.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// Reads an RFC 3339 instant, such as a Kubernetes timestamp.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|t| Self(t.as_microsecond()))
    }

    /// RFC 3339 in UTC, to the microsecond where there are any.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|t| t.to_string())
            .unwrap_or_else(|_| "out of range".into())
    }

    /// The instant for people, in their zone, with the offset: `2026-11-24 08:15:30 +01:00`.
    /// An unknown zone name falls back to UTC.
    pub fn in_zone(self, zone: &str) -> String {
        let tz = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => t
                .to_zoned_datetime(tz)
                .strftime("%Y-%m-%d %H:%M:%S %:z")
                .to_string(),
            Err(_) => "out of range".into(),
        }
    }

    /// How long ago, in the largest unit that says enough: `now`, `40 s`, `12 min`, `3 h`, `5 d`.
    pub fn ago(self, now: Self) -> String {
        duration(now.since(self))
    }
}

/// A length of time in microseconds for people, in its largest whole unit.
pub fn duration(micros: i64) -> String {
    match micros {
        m if m < Micros::SECOND => "now".into(),
        m if m < 2 * Micros::MINUTE => format!("{} s", m / Micros::SECOND),
        m if m < 2 * Micros::HOUR => format!("{} min", m / Micros::MINUTE),
        m if m < 2 * Micros::DAY => format!("{} h", m / Micros::HOUR),
        m => format!("{} d", m / Micros::DAY),
    }
}

/// How far ahead an instant is, for people, in the nearest unit: what is 72 hours away is 3 days away a
/// second later too, while [`duration`] counts only what is over.
pub fn ahead(micros: i64) -> String {
    let nearest = |unit: i64| micros.saturating_add(unit / 2) / unit;
    if nearest(Micros::SECOND) < 120 {
        format!("{} s", nearest(Micros::SECOND).max(1))
    } else if nearest(Micros::MINUTE) < 120 {
        format!("{} min", nearest(Micros::MINUTE))
    } else if nearest(Micros::HOUR) < 48 {
        format!("{} h", nearest(Micros::HOUR))
    } else {
        format!("{} d", nearest(Micros::DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_its_text() {
        let t = Micros::parse("2026-11-24T05:43:07Z").expect("valid");
        assert_eq!(t.rfc3339(), "2026-11-24T05:43:07Z");
        assert_eq!(t.in_zone("UTC"), "2026-11-24 05:43:07 +00:00");
        assert_eq!(Micros::parse("yesterday"), None);
    }

    #[test]
    fn ages_are_never_negative() {
        assert_eq!(Micros(5).ago(Micros(1)), "now");
        assert_eq!(Micros(0).ago(Micros(3 * Micros::HOUR)), "3 h");
    }

    #[test]
    fn what_is_ahead_is_not_rounded_down() {
        for (micros, words) in [
            (0, "1 s"),
            (10 * Micros::SECOND - 1, "10 s"),
            (2 * Micros::MINUTE - 1, "2 min"),
            (2 * Micros::HOUR - Micros::SECOND, "2 h"),
            (48 * Micros::HOUR - Micros::SECOND, "2 d"),
            (72 * Micros::HOUR - Micros::SECOND, "3 d"),
            (60 * Micros::HOUR, "3 d"),
            (59 * Micros::HOUR, "2 d"),
        ] {
            assert_eq!(ahead(micros), words, "{micros}");
        }
    }
}
