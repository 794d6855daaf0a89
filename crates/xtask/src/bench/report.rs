//! The table of a benchmark, and the same as JSON.

use crate::Result;
use serde::Serialize;
use std::fmt;

/// What a value should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// It is only told.
    None,
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    build: &'static str,
    cores: usize,
    results: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    baseline: Option<f64>,
    ratio: Option<f64>,
    goal: Option<String>,
    met: Option<bool>,
}

impl Report {
    /// An empty one, for this kind of build.
    pub fn new(build: &'static str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            build,
            cores,
            results: Vec::new(),
        }
    }

    /// Adds a value; its ratio is to the baseline.
    pub fn add(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        baseline: Option<f64>,
        goal: Goal,
    ) {
        let (goal, met) = match goal {
            Goal::None => (None, None),
            Goal::AtMost(limit) => (Some(format!("≤ {limit}")), Some(value <= limit)),
            Goal::AtLeast(limit) => (Some(format!("≥ {limit}")), Some(value >= limit)),
        };
        let ratio = baseline
            .filter(|base| *base > 0.0)
            .map(|base| round(value / base));
        let (value, baseline) = (round(value), baseline.map(round));
        self.results.push(Row {
            name: name.to_owned(),
            value,
            unit,
            baseline,
            ratio,
            goal,
            met,
        });
    }

    /// Whether each goal was met.
    pub fn all_met(&self) -> bool {
        self.results.iter().all(|row| row.met != Some(false))
    }

    /// `bench.json`.
    ///
    /// # Errors
    /// When a value is no number: something was not measured.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| e.to_string())
    }
}

/// Three digits are as many as a measurement of seconds gives.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .results
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0);
        writeln!(f, "{} on {} cores", self.build, self.cores)?;
        let head = ("what", "value", "unit", "baseline", "ratio", "goal", "met");
        writeln!(
            f,
            "{:<width$} {:>11} {:<4} {:>11} {:>9} {:>8} {}",
            head.0, head.1, head.2, head.3, head.4, head.5, head.6
        )?;
        for row in &self.results {
            let number =
                |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
            let met = row.met.map_or("", |met| if met { "yes" } else { "NO" });
            writeln!(
                f,
                "{:<width$} {:>11} {:<4} {:>11} {:>9} {:>8} {met}",
                row.name,
                number(Some(row.value)),
                row.unit,
                number(row.baseline),
                number(row.ratio),
                row.goal.as_deref().unwrap_or("")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_count_and_ratios_are_to_the_baseline() {
        let mut report = Report::new("test");
        report.add("a", 10.0, "ms", Some(4.0), Goal::AtMost(20.0));
        assert!(report.all_met());
        report.add("b", 10.0, "1/s", None, Goal::AtLeast(1000.0));
        assert!(!report.all_met());
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["results"][0]["ratio"], 2.5);
        assert_eq!(json["results"][1]["met"], false);
        assert!(report.to_string().contains("NO"));
    }
}
