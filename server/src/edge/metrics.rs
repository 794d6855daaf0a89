//! The console's own metrics, in Prometheus' text format (version 0.0.4).

use super::streams::Streams;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Upper bounds of the histogram of durations, in seconds.
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Default)]
struct Series {
    by_status: BTreeMap<u16, u64>,
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// Counters of this process. Routes are patterns (`/deployments/{cluster}/…`), so their number is bounded.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<(String, &'static str), Series>>,
    sign_ins: Mutex<BTreeMap<&'static str, u64>>,
    jobs: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    /// Streams of server-sent events that are open now.
    pub streams: Streams,
}

/// A figure that is read when somebody asks.
pub struct Gauge {
    pub name: &'static str,
    pub help: &'static str,
    pub values: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Metrics {
    pub fn request(&self, route: &str, method: &http::Method, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            _ => "other",
        };
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let series = requests.entry((route.to_owned(), method)).or_default();
        *series.by_status.entry(status).or_default() += 1;
        series.count += 1;
        let seconds = took.as_secs_f64();
        series.seconds += seconds;
        for (bucket, bound) in series.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// A sign-in and how it ended.
    pub fn sign_in(&self, outcome: &'static str) {
        *self
            .sign_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(outcome)
            .or_default() += 1;
    }

    /// A run of a background task and how it ended.
    pub fn job(&self, task: &'static str, outcome: &'static str) {
        *self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry((task, outcome))
            .or_default() += 1;
    }

    /// Everything as text.
    pub fn render(&self, gauges: &[Gauge]) -> String {
        let mut out = String::new();
        let _ = self.write(&mut out, gauges);
        out
    }

    fn write(&self, out: &mut String, gauges: &[Gauge]) -> std::fmt::Result {
        {
            let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            head(
                out,
                "gatehouse_http_requests_total",
                "counter",
                "Requests by route, method and status.",
            )?;
            for ((route, method), s) in requests.iter() {
                let route = escape(route);
                for (status, n) in &s.by_status {
                    writeln!(
                        out,
                        "gatehouse_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {n}"
                    )?;
                }
            }
            head(
                out,
                "gatehouse_http_request_duration_seconds",
                "histogram",
                "Time until the answer's head.",
            )?;
            for ((route, method), s) in requests.iter() {
                let labels = format!("route=\"{}\",method=\"{method}\"", escape(route));
                for (n, bound) in s.buckets.iter().zip(BOUNDS) {
                    writeln!(
                        out,
                        "gatehouse_http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {n}"
                    )?;
                }
                writeln!(
                    out,
                    "gatehouse_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {}",
                    s.count
                )?;
                writeln!(
                    out,
                    "gatehouse_http_request_duration_seconds_sum{{{labels}}} {}",
                    s.seconds
                )?;
                writeln!(
                    out,
                    "gatehouse_http_request_duration_seconds_count{{{labels}}} {}",
                    s.count
                )?;
            }
        }
        head(
            out,
            "gatehouse_sign_ins_total",
            "counter",
            "Sign-ins by outcome.",
        )?;
        for (outcome, n) in self
            .sign_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            writeln!(out, "gatehouse_sign_ins_total{{outcome=\"{outcome}\"}} {n}")?;
        }
        head(
            out,
            "gatehouse_task_runs_total",
            "counter",
            "Runs of background tasks by outcome.",
        )?;
        for ((task, outcome), n) in self
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            writeln!(
                out,
                "gatehouse_task_runs_total{{task=\"{task}\",outcome=\"{outcome}\"}} {n}"
            )?;
        }
        head(
            out,
            "gatehouse_event_streams",
            "gauge",
            "Open streams of server-sent events.",
        )?;
        writeln!(out, "gatehouse_event_streams {}", self.streams.count())?;
        for g in gauges {
            head(out, g.name, "gauge", g.help)?;
            for (labels, value) in &g.values {
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(k, v)| format!("{k}=\"{}\"", escape(v)))
                    .collect();
                match labels.is_empty() {
                    true => writeln!(out, "{} {value}", g.name)?,
                    false => writeln!(out, "{}{{{}}} {value}", g.name, labels.join(","))?,
                }
            }
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn escape(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_labels_escaped() {
        let m = Metrics::default();
        m.request("/a\"b", &http::Method::GET, 200, Duration::from_millis(7));
        m.request("/a\"b", &http::Method::GET, 200, Duration::from_millis(70));
        let text = m.render(&[Gauge {
            name: "g",
            help: "h",
            values: vec![(vec![("c", "x".into())], 1.0)],
        }]);
        assert!(
            text.contains(
                "gatehouse_http_requests_total{route=\"/a\\\"b\",method=\"GET\",status=\"200\"} 2"
            ),
            "{text}"
        );
        assert!(text.contains("le=\"0.01\"} 1\n"), "{text}");
        assert!(text.contains("le=\"0.1\"} 2\n"), "{text}");
        assert!(text.contains("g{c=\"x\"} 1"), "{text}");
    }
}
