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

/// Has a week of history written into Prometheus' data, where it is seen within a minute. `now` is
/// where the week ends.
///
/// # Errors
/// When promtool does not take what it is given.
pub(super) async fn load(world: &WorldAddresses, now: Timestamp) -> Result<()> {
    let file = world.state_dir.join("prometheus").join("history.om");
    let text = history(now.as_second());
    crate::error::write_file(&file, text, false)?;
    let loaded = promtool(&file, &world.prometheus.data_dir).await;
    std::fs::remove_file(&file).map_err(Error::file(&file))?;
    loaded
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

/// The history in OpenMetrics text; `end` in seconds since 1970.
fn history(end: i64) -> String {
    let end = end - end.rem_euclid(STEP);
    let times: Vec<i64> = (1..=SAMPLES).map(|n| end - (SAMPLES - n) * STEP).collect();
    let lines: Vec<Vec<(Now, Sums)>> = SERVERS.iter().map(|s| course(s, &times)).collect();
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, suffix: &str, of: &dyn Fn(&(Now, Sums)) -> f64| {
        writeln!(out, "# TYPE {name} {kind}").expect("a String takes everything");
        for (server, line) in SERVERS.iter().zip(&lines) {
            let labels = format!("{name}{suffix}{{{}}}", labels(server));
            samples(&mut out, &labels, &times, line, of);
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
    successes(&mut out, &times, &lines);
    first_tokens(&mut out, &times, &lines);
    gpus(&mut out, &times, &lines);
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

fn successes(out: &mut String, times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    out.push_str("# TYPE vllm:request_success counter\n");
    for (server, line) in SERVERS.iter().zip(lines) {
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

fn first_tokens(out: &mut String, times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    const NAME: &str = "vllm:time_to_first_token_seconds";
    writeln!(out, "# TYPE {NAME} histogram").expect("a String takes everything");
    for (server, line) in SERVERS.iter().zip(lines) {
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

fn gpus(out: &mut String, times: &[i64], lines: &[Vec<(Now, Sums)>]) {
    for name in ["DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED"] {
        writeln!(out, "# TYPE {name} gauge").expect("a String takes everything");
        for (server, line) in SERVERS.iter().zip(lines) {
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
            let load = load_at(server, *time);
            let asked = server.busiest * load * STEP as f64;
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
            let mut shown = sums;
            for bucket in &mut shown.buckets {
                *bucket = bucket.floor();
            }
            let now = Now {
                running: (server.busiest * load * server.tokens.1 * 0.02).ceil(),
                waiting: (queue - 1.0).max(0.0).floor(),
                cache: (0.75 * busy * busy).min(1.0),
                busy,
            };
            (now, shown)
        })
        .collect()
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
        let text = history(1_790_000_123);
        assert_eq!(text, history(1_790_000_123));
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
}
