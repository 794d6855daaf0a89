//! **A stand-in for what model servers and GPUs export.** No model runs here, so nothing measures
//! one: this invents a week of numbers under the names that vLLM 0.11 and NVIDIA's DCGM exporter
//! use, and has the real promtool write them as blocks of the real Prometheus.
//!
//! The numbers follow from the service's name and the time alone: people ask by day more than by
//! night and less at weekends, and the rest follows from how many ask.

use crate::addresses::WorldAddresses;
use crate::error::{Error, Result, tail};
use crate::programs;
use k8s_openapi::jiff::Timestamp;
use std::fmt::Write;
use std::path::Path;

/// Seconds between two samples.
const STEP: i64 = 300;
/// Samples of each series: seven days.
const SAMPLES: i64 = 7 * 86_400 / STEP;
/// Upper bounds of the buckets of the time to the first token, in seconds; vLLM has more.
const BOUNDS: [f64; 5] = [0.1, 0.25, 0.5, 1.0, 2.5];

/// A model server that people ask.
struct Server {
    cluster: &'static str,
    namespace: &'static str,
    name: &'static str,
    /// Requests per second at the busiest hour.
    busiest: f64,
    /// Tokens of a usual prompt and of a usual answer.
    tokens: (f64, f64),
    /// Seconds to the first token when nobody else asks.
    first: f64,
    /// The GPUs that it uses: node, number there, memory in use in MiB.
    gpus: &'static [(&'static str, u8, u32)],
}

const fn server(
    cluster: &'static str,
    namespace: &'static str,
    name: &'static str,
    busiest: f64,
    tokens: (f64, f64),
    first: f64,
    gpus: &'static [(&'static str, u8, u32)],
) -> Server {
    Server {
        cluster,
        namespace,
        name,
        busiest,
        tokens,
        first,
        gpus,
    }
}

const SERVERS: [Server; 8] = [
    server(
        "onprem-1",
        "retail-prod",
        "product-chat",
        9.0,
        (620.0, 180.0),
        0.09,
        &[("l40s-01", 0, 41_300), ("l40s-03", 0, 41_280)],
    ),
    server(
        "onprem-1",
        "retail-staging",
        "product-chat",
        0.3,
        (600.0, 170.0),
        0.10,
        &[("l40s-03", 1, 41_250)],
    ),
    server(
        "onprem-1",
        "retail-dev",
        "shopping-assistant",
        0.1,
        (900.0, 420.0),
        0.31,
        &[
            ("l40s-02", 0, 42_100),
            ("l40s-02", 1, 42_060),
            ("l40s-02", 2, 42_060),
            ("l40s-02", 3, 42_060),
        ],
    ),
    server(
        "onprem-1",
        "logistics-prod",
        "route-planner",
        4.0,
        (340.0, 90.0),
        0.07,
        &[("l40s-01", 1, 40_900)],
    ),
    server(
        "onprem-1",
        "research-prod",
        "reading-room",
        1.6,
        (5200.0, 600.0),
        0.42,
        &[("h100-02", 0, 72_400)],
    ),
    server(
        "cloud-1",
        "retail-prod",
        "product-chat",
        6.0,
        (610.0, 175.0),
        0.05,
        &[("gpu-h100-01", 0, 71_900)],
    ),
    server(
        "cloud-1",
        "logistics-prod",
        "support-chat",
        7.5,
        (450.0, 210.0),
        0.11,
        &[("gpu-l40s-02", 0, 41_000)],
    ),
    server(
        "cloud-1",
        "research-prod",
        "long-documents",
        0.6,
        (12_000.0, 900.0),
        0.95,
        &[("gpu-h100-01", 1, 73_000), ("gpu-h100-01", 2, 72_980)],
    ),
];

/// Where the time is kept at which the week of history ends: what goes on live begins there.
const ENDS: &str = "history-ends";

/// Has a week of history written into Prometheus' data, where it is seen within a minute. `now` is
/// where the week ends.
///
/// # Errors
/// When promtool does not take what it is given.
pub(super) async fn load(world: &WorldAddresses, now: Timestamp) -> Result<()> {
    let file = world.state_dir.join("prometheus").join("history.om");
    let end = end_of(now.as_second());
    crate::error::write_file(&file, history(end), false)?;
    let loaded = promtool(&file, &world.prometheus.data_dir).await;
    std::fs::remove_file(&file).map_err(Error::file(&file))?;
    loaded?;
    crate::error::write_file(&file.with_file_name(ENDS), end.to_string(), false)
}

/// The last whole step.
fn end_of(now: i64) -> i64 {
    now - now.rem_euclid(STEP)
}

/// What the servers export now, in OpenMetrics text: those that `serve`, from where the history in
/// Prometheus' data ends. Nothing where there is no history.
pub(crate) fn now(data: &Path, now: Timestamp, serve: impl Fn(&str, &str, &str) -> bool) -> String {
    let end = std::fs::read_to_string(data.with_file_name(ENDS))
        .ok()
        .and_then(|text| text.trim().parse::<i64>().ok());
    let servers: Vec<&Server> = SERVERS
        .iter()
        .filter(|s| end.is_some() && serve(s.cluster, s.namespace, s.name))
        .collect();
    live(&servers, end.unwrap_or_default(), now.as_second())
}

fn live(servers: &[&Server], end: i64, now: i64) -> String {
    let lines: Vec<_> = servers.iter().map(|s| vec![at(s, end, now)]).collect();
    text(servers, &[now], &lines)
}

async fn promtool(file: &Path, data: &Path) -> Result<()> {
    let log = data.with_file_name("promtool.log");
    let output = std::fs::File::create(&log).map_err(Error::file(&log))?;
    let errors = output.try_clone().map_err(Error::file(&log))?;
    let status = tokio::process::Command::new(programs::path_of("promtool")?)
        // Blocks of two hours, the default, would make it read the file 85 times.
        .args(["tsdb", "create-blocks-from", "--max-block-duration=162h"])
        .args(["openmetrics", "--quiet"])
        .args([file, data])
        .stdout(output)
        .stderr(errors)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(Error::other)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::other(format!(
        "promtool could not load the history of metrics ({status}):\n{}",
        tail(&log, 5)
    )))
}

/// Every server's numbers at one step.
#[derive(Clone, Copy, Default)]
struct Now {
    running: f64,
    waiting: f64,
    cache: f64,
    busy: f64,
}

/// Counters so far.
#[derive(Clone, Copy, Default)]
struct Sums {
    prompt: f64,
    generated: f64,
    done: f64,
    cut: f64,
    first: f64,
    buckets: [f64; BOUNDS.len()],
}

/// The history in OpenMetrics text; `end` in seconds since 1970, a whole step.
fn history(end: i64) -> String {
    let times: Vec<i64> = (1..=SAMPLES).map(|n| end - (SAMPLES - n) * STEP).collect();
    let servers: Vec<&Server> = SERVERS.iter().collect();
    let lines: Vec<_> = servers.iter().map(|s| course(s, &times)).collect();
    text(&servers, &times, &lines)
}

/// Each server's line, with a value for each time, in OpenMetrics text.
fn text(servers: &[&Server], times: &[i64], lines: &[Vec<(Now, Sums)>]) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, suffix: &str, of: &dyn Fn(&(Now, Sums)) -> f64| {
        writeln!(out, "# TYPE {name} {kind}").expect("a String takes everything");
        for (server, line) in servers.iter().zip(lines) {
            let labels = format!("{name}{suffix}{{{}}}", labels(server));
            samples(&mut out, &labels, times, line, of);
        }
    };
    family("vllm:num_requests_running", "gauge", "", &|(n, _)| {
        n.running
    });
    family("vllm:num_requests_waiting", "gauge", "", &|(n, _)| {
        n.waiting
    });
    family("vllm:kv_cache_usage_perc", "gauge", "", &|(n, _)| n.cache);
    family("vllm:prompt_tokens", "counter", "_total", &|(_, s)| {
        s.prompt
    });
    family("vllm:generation_tokens", "counter", "_total", &|(_, s)| {
        s.generated
    });
    successes(&mut out, servers, times, lines);
    first_tokens(&mut out, servers, times, lines);
    gpus(&mut out, servers, times, lines);
    out.push_str("# EOF\n");
    out
}

fn labels(server: &Server) -> String {
    let Server {
        cluster,
        namespace,
        name,
        ..
    } = server;
    format!(
        "cluster=\"{cluster}\",namespace=\"{namespace}\",service=\"{name}-predictor\",\
         model_name=\"{name}\",engine=\"0\""
    )
}

fn samples(
    out: &mut String,
    series: &str,
    times: &[i64],
    line: &[(Now, Sums)],
    of: &dyn Fn(&(Now, Sums)) -> f64,
) {
    for (time, step) in times.iter().zip(line) {
        writeln!(out, "{series} {:.3} {time}", of(step)).expect("a String takes everything");
    }
}

fn successes(out: &mut String, servers: &[&Server], times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    out.push_str("# TYPE vllm:request_success counter\n");
    for (server, line) in servers.iter().zip(lines) {
        for reason in ["stop", "length"] {
            let series = format!(
                "vllm:request_success_total{{{},finished_reason=\"{reason}\"}}",
                labels(server)
            );
            let stop = reason == "stop";
            samples(out, &series, times, line, &|(_, s)| {
                if stop { s.done - s.cut } else { s.cut }
            });
        }
    }
}

fn first_tokens(out: &mut String, servers: &[&Server], times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    const NAME: &str = "vllm:time_to_first_token_seconds";
    writeln!(out, "# TYPE {NAME} histogram").expect("a String takes everything");
    for (server, line) in servers.iter().zip(lines) {
        let labels = labels(server);
        for (number, bound) in BOUNDS.iter().enumerate() {
            let series = format!("{NAME}_bucket{{{labels},le=\"{bound:?}\"}}");
            samples(out, &series, times, line, &|(_, s)| s.buckets[number]);
        }
        let series = format!("{NAME}_bucket{{{labels},le=\"+Inf\"}}");
        samples(out, &series, times, line, &|(_, s)| s.done.floor());
        samples(
            out,
            &format!("{NAME}_count{{{labels}}}"),
            times,
            line,
            &|(_, s)| s.done.floor(),
        );
        samples(
            out,
            &format!("{NAME}_sum{{{labels}}}"),
            times,
            line,
            &|(_, s)| s.first,
        );
    }
}

fn gpus(out: &mut String, servers: &[&Server], times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    for name in ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED"] {
        writeln!(out, "# TYPE {name} gauge").expect("a String takes everything");
        for (server, line) in servers.iter().zip(lines) {
            for (node, number, used) in server.gpus {
                let series = format!(
                    "{name}{{cluster=\"{}\",Hostname=\"{node}\",gpu=\"{number}\",namespace=\"{}\",\
                     service=\"{}-predictor\"}}",
                    server.cluster, server.namespace, server.name,
                );
                if name == "DCGM_FI_DEV_GPU_UTIL" {
                    samples(out, &series, times, line, &|(n, _)| {
                        (100.0 * n.busy).round()
                    });
                } else {
                    samples(out, &series, times, line, &|_| f64::from(*used));
                }
            }
        }
    }
}

/// A server's week.
fn course(server: &Server, times: &[i64]) -> Vec<(Now, Sums)> {
    let mut sums = Sums::default();
    times
        .iter()
        .map(|time| {
            let now = pass(server, *time, STEP, &mut sums);
            (now, sums.shown())
        })
        .collect()
}

/// A server at one moment after its week, which ended at `end`: whole steps, and what has passed of
/// the one that `now` is in.
fn at(server: &Server, end: i64, now: i64) -> (Now, Sums) {
    let mut sums = Sums::default();
    let mut time = end - (SAMPLES - 1) * STEP;
    while time <= now {
        pass(server, time, STEP, &mut sums);
        time += STEP;
    }
    let shown = pass(server, time, now - (time - STEP), &mut sums);
    (shown, sums.shown())
}

/// Lets some seconds pass, of the step that ends at `time`.
fn pass(server: &Server, time: i64, seconds: i64, sums: &mut Sums) -> Now {
    let load = load_at(server, time);
    let asked = server.busiest * load * seconds as f64;
    // At its busiest a server is at nine tenths of what it can do.
    let busy = 0.9 * load;
    let queue = busy * busy / (1.0 - busy);
    let first = server.first * (1.0 + queue);
    sums.prompt += asked * server.tokens.0;
    sums.generated += asked * server.tokens.1;
    sums.done += asked;
    sums.cut += 0.04 * asked;
    sums.first += asked * first;
    for (bound, bucket) in BOUNDS.iter().zip(&mut sums.buckets) {
        // Times to the first token taken as exponentially distributed.
        *bucket += asked * (1.0 - (-bound / first).exp());
    }
    Now {
        running: (server.busiest * load * server.tokens.1 * 0.02).ceil(),
        waiting: (queue - 1.0).max(0.0).floor(),
        cache: (0.75 * busy * busy).min(1.0),
        busy,
    }
}

impl Sums {
    /// As a server counts: whole requests.
    fn shown(mut self) -> Self {
        for bucket in &mut self.buckets {
            *bucket = bucket.floor();
        }
        self
    }
}

/// How busy people keep a server, from 0 to 1.
fn load_at(server: &Server, time: i64) -> f64 {
    let hour = (time.rem_euclid(86_400)) as f64 / 3600.0;
    // Two humps, before and after noon.
    let hump = |middle: f64, width: f64| (-((hour - middle) / width).powi(2)).exp();
    let day = 0.08 + 0.85 * hump(10.5, 2.4).max(0.95 * hump(15.5, 3.0));
    // 1970-01-01 was a Thursday.
    let weekday = (time.div_euclid(86_400) + 3).rem_euclid(7);
    let week = if weekday >= 5 { 0.35 } else { 1.0 };
    let noise = (hash(server.namespace, time) ^ hash(server.name, time)) % 1000;
    day * week * (0.9 + 0.2 * noise as f64 / 1000.0).min(1.07)
}

/// A number from a name and a time (FNV-1a).
fn hash(name: &str, time: i64) -> u64 {
    let bytes = name.bytes().chain(time.to_le_bytes());
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    sum >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_is_small_and_follows_from_its_end_alone() {
        let end = end_of(1_790_000_123);
        let text = history(end);
        assert_eq!(text, history(end));
        let samples = text.lines().filter(|l| !l.starts_with('#')).count();
        assert!((200_000..=300_000).contains(&samples), "{samples}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn counters_only_grow_and_gauges_stay_in_their_range() {
        let times: Vec<i64> = (0..SAMPLES).map(|n| 1_790_000_100 + n * STEP).collect();
        for server in &SERVERS {
            let line = course(server, &times);
            assert!(
                line.iter()
                    .all(|(n, _)| (0.0..1.0).contains(&n.busy) && (0.0..=1.0).contains(&n.cache))
            );
            assert!(line.windows(2).all(|w| {
                w[0].1.done <= w[1].1.done
                    && w[0].1.buckets[0] <= w[1].1.buckets[0]
                    && w[1].1.buckets[4] <= w[1].1.done
            }));
        }
    }

    /// `name{labels}` and the value of each sample, as they stand.
    fn read(text: &str, time: i64) -> std::collections::BTreeMap<&str, f64> {
        let end = format!(" {time}");
        text.lines()
            .filter_map(|l| l.strip_suffix(&end)?.rsplit_once(' '))
            .map(|(series, value)| (series, value.parse().expect("a number")))
            .collect()
    }

    #[test]
    fn what_is_live_goes_on_where_the_week_ends() {
        let end = end_of(1_790_000_123);
        let (history, servers) = (history(end), SERVERS.iter().collect::<Vec<_>>());
        let last = read(&history, end);
        let soon = live(&servers, end, end + 15);
        let next = read(&soon, end + 15);
        // The same series, and no counter falls.
        assert!(last.keys().eq(next.keys()));
        let counter = |s: &str| {
            ["_total{", "_bucket{", "_count{", "_sum{"]
                .iter()
                .any(|c| s.contains(c))
        };
        for (series, before) in &last {
            if counter(series) {
                assert!(next[series] >= *before, "{series}");
                assert!(next[series] - before < 200_000.0, "{series}");
            }
        }
        let whole = live(&servers, end, end + STEP);
        let half = live(&servers, end, end + STEP / 2);
        let (whole, half) = (read(&whole, end + STEP), read(&half, end + STEP / 2));
        let series = format!("vllm:prompt_tokens_total{{{}}}", labels(&SERVERS[0]));
        let grown = |to: f64| to - last[&*series];
        assert!((grown(half[&*series]) * 2.0 - grown(whole[&*series])).abs() < 1.0);
    }

    #[test]
    fn what_does_not_run_exports_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data");
        let time = Timestamp::from_second(1_790_000_400).expect("a time");
        assert_eq!(
            now(&data, time, |_, _, _| true)
                .lines()
                .filter(|l| !l.starts_with('#'))
                .count(),
            0
        );
        std::fs::write(dir.path().join(ENDS), "1790000100").expect("written");
        let text = now(&data, time, |_, _, name| name == "route-planner");
        assert!(text.contains("model_name=\"route-planner\""));
        assert!(!text.contains("product-chat"));
    }
}
