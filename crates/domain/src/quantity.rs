//! Kubernetes quantities: `4`, `500m`, `32Gi`, `1.5`, `1e3`. Kept as whole thousandths ("milli"),
//! the finest step in which Kubernetes accounts for CPU.

use std::collections::BTreeMap;

/// An amount of a resource, exact to a thousandth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i128);

/// Nothing in a cluster is larger than this (an exbibyte times a million), in thousandths; what
/// claims to be is refused, so that sums cannot overflow.
const MAX: i128 = (1i128 << 80) * 1000;

impl Quantity {
    pub const ZERO: Self = Self(0);

    /// So many thousandths.
    pub fn from_milli(milli: i128) -> Self {
        Self(milli)
    }
    /// So many whole units (devices, cores, bytes).
    pub fn from_units(units: i64) -> Self {
        Self(i128::from(units) * 1000)
    }
    pub fn milli(self) -> i128 {
        self.0
    }
    /// Whole units, rounded up as Kubernetes rounds.
    pub fn units(self) -> i64 {
        i64::try_from(self.0.div_euclid(1000) + i128::from(self.0.rem_euclid(1000) != 0))
            .unwrap_or(i64::MAX)
    }
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads a quantity as Kubernetes does; anything finer than a thousandth is rounded up.
    /// `None` where Kubernetes would answer with an error, or where it is beyond any cluster.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty())
            || fraction.contains('.')
            || whole.len() + fraction.len() > 30
        {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        // value = digits × 10^exponent × binary, in units
        let (binary, exponent): (i128, i32) = match suffix {
            "" => (1, 0),
            "n" => (1, -9),
            "u" => (1, -6),
            "m" => (1, -3),
            "k" => (1, 3),
            "M" => (1, 6),
            "G" => (1, 9),
            "T" => (1, 12),
            "P" => (1, 15),
            "E" => (1, 18),
            "Ki" => (1 << 10, 0),
            "Mi" => (1 << 20, 0),
            "Gi" => (1 << 30, 0),
            "Ti" => (1 << 40, 0),
            "Pi" => (1 << 50, 0),
            "Ei" => (1 << 60, 0),
            _ => (
                1,
                suffix
                    .strip_prefix(['e', 'E'])
                    .filter(|e| !e.is_empty() && e.len() <= 3)?
                    .parse()
                    .ok()?,
            ),
        };
        let exponent = exponent + 3 - i32::try_from(fraction.len()).ok()?;
        let scaled = digits.checked_mul(binary)?;
        let milli = if exponent >= 0 {
            scaled.checked_mul(10i128.checked_pow(u32::try_from(exponent).ok()?)?)?
        } else {
            match 10i128.checked_pow(exponent.unsigned_abs()) {
                Some(by) => scaled / by + i128::from(scaled % by != 0),
                None => i128::from(scaled != 0),
            }
        };
        (milli <= MAX).then_some(Self(if negative { -milli } else { milli }))
    }

    /// The amount as Kubernetes would write it for this resource: bytes in the largest binary unit
    /// that is exact, everything else as a number, with `m` where it is not whole.
    pub fn show(self, resource: &str) -> String {
        let bytes = ["memory", "storage", "hugepages"]
            .iter()
            .any(|w| resource.contains(w));
        if self.0 % 1000 != 0 {
            return format!("{}m", self.0);
        }
        let units = self.0 / 1000;
        if bytes && units != 0 {
            for (suffix, shift) in [
                ("Ei", 60),
                ("Pi", 50),
                ("Ti", 40),
                ("Gi", 30),
                ("Mi", 20),
                ("Ki", 10),
            ] {
                if units % (1i128 << shift) == 0 {
                    return format!("{}{suffix}", units >> shift);
                }
            }
        }
        units.to_string()
    }
}

impl std::ops::Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Mul<i64> for Quantity {
    type Output = Self;
    fn mul(self, times: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, |a, b| a + b)
    }
}

/// An amount out of a map such as `status.allocatable`; what is absent or unreadable is nothing.
pub fn amount(map: &BTreeMap<String, String>, resource: &str) -> Quantity {
    map.get(resource)
        .and_then(|t| Quantity::parse(t))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_kubernetes_reads_them() {
        for (text, milli) in [
            ("4", 4000),
            ("500m", 500),
            ("1.5", 1500),
            (".5", 500),
            ("5.", 5000),
            ("+2", 2000),
            ("-1", -1000),
            ("1k", 1_000_000),
            ("1Ki", 1_024_000),
            ("32Gi", 32 * (1i128 << 30) * 1000),
            ("1.5Gi", 3 * (1i128 << 29) * 1000),
            ("1e3", 1_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("12E2", 1_200_000),
            ("1e-3", 1),
            ("100n", 1),
            ("1u", 1),
        ] {
            assert_eq!(
                Quantity::parse(text).map(Quantity::milli),
                Some(milli),
                "{text}"
            );
        }
        for text in [
            "",
            "x",
            "1x",
            "1 Gi",
            "1gi",
            "1..2",
            "1.2.3",
            "Gi",
            "-",
            "1e",
            "1e9999",
            "9999999999999999999999999999999",
            "1K",
            "0x1",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_in_the_unit_people_use() {
        let show = |t: &str, r: &str| Quantity::parse(t).unwrap().show(r);
        assert_eq!(show("34359738368", "memory"), "32Gi");
        assert_eq!(show("1500Mi", "requests.memory"), "1500Mi");
        assert_eq!(show("4000m", "cpu"), "4");
        assert_eq!(show("1.5", "cpu"), "1500m");
        assert_eq!(show("1024", "nvidia.com/gpu"), "1024");
        assert_eq!(show("0", "memory"), "0");
        assert_eq!(show("500m", "memory"), "500m");
    }

    #[test]
    fn sums_and_comparisons_are_exact() {
        let q = |t| Quantity::parse(t).unwrap();
        assert_eq!(
            ["1", "500m", "1.5"].into_iter().map(q).sum::<Quantity>(),
            q("3")
        );
        assert!(q("1023Mi") < q("1Gi"));
        assert_eq!(q("500m") * 3, q("1500m"));
        assert_eq!(q("1500m").units(), 2);
        assert_eq!(q("-1500m").units(), -1);
    }
}
