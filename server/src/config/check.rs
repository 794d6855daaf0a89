//! The checks of each section of a configuration.

use super::{Config, Problem, secret::settle};
use ::audit::checkpoint::{self, SigningKey};
use std::{collections::BTreeSet, path::Path};

/// 32 bytes from base64, standard or URL alphabet, padded or not.
pub(super) fn key_bytes(text: &str) -> Option<[u8; 32]> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let text = text.trim().trim_end_matches('=');
    STANDARD_NO_PAD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .ok()?
        .try_into()
        .ok()
}

/// Settles secrets and relative paths, then checks each section.
pub(super) fn check(c: &mut Config, base: &Path) -> Vec<Problem> {
    let mut p = Vec::new();
    server(c, base, &mut p);
    database(c, &mut p);
    oidc(c, base, &mut p);
    limits(c, &mut p);
    access(c, &mut p);
    clusters(c, base, &mut p);
    registries(c, base, &mut p);
    rest(c, base, &mut p);
    audit(c, base, &mut p);
    p
}

fn audit(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    let a = &mut c.audit;
    a.checkpoint_file = a.checkpoint_file.take().map(|f| base.join(f));
    let name = a.origin.as_deref().unwrap_or("gatehouse.example/audit");
    if SigningKey::new(name, &[1; 32]).is_err() {
        p.push(Problem::new(
            "audit.origin",
            "it is empty or has spaces or `+`",
            "Write a name without a scheme, `gatehouse.example.org/audit`.",
        ));
    }
    for (n, key) in a.signing_keys.iter().enumerate() {
        if key_bytes(key.expose()).is_none() {
            p.push(Problem::new(
                &format!("audit.signing_keys.{n}"),
                "it is not 32 bytes in base64",
                "Make one with `openssl rand -base64 32`.",
            ));
        }
    }
    for (n, key) in a.retired_keys.iter().enumerate() {
        if checkpoint::check_key(key).is_err() {
            p.push(Problem::new(
                &format!("audit.retired_keys.{n}"),
                "it is no public key of a log",
                "Write it as the Audit page showed it, `name+id+key`.",
            ));
        }
    }
    if let Some(url) = &a.checkpoint_webhook
        && !matches!(url.scheme(), "http" | "https")
    {
        p.push(Problem::new(
            "audit.checkpoint_webhook",
            "it is no http or https address",
            "Write the address that takes a POST with the checkpoint.",
        ));
    }
}

fn server(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    let s = &mut c.server;
    settle(
        "server.secret_key",
        &mut s.secret_key,
        s.secret_key_file.as_deref(),
        base,
        p,
    );
    let make =
        "Make one with `openssl rand -base64 32` and keep it: stored secrets open with no other.";
    match &s.secret_key {
        None if s.secret_key_file.is_some() => {}
        None => p.push(Problem::new("server.secret_key", "it is missing", make)),
        Some(k) if key_bytes(k.expose()).is_none() => {
            p.push(Problem::new(
                "server.secret_key",
                "it is not 32 bytes in base64",
                make,
            ));
        }
        Some(k) if key_bytes(k.expose()) == Some([0; 32]) => {
            p.push(Problem::new("server.secret_key", "it is all zeros", make));
        }
        Some(_) => {}
    }
    let u = &s.public_url;
    let loopback = matches!(u.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if !matches!(u.scheme(), "http" | "https") || u.host_str().is_none() {
        p.push(Problem::new(
            "server.public_url",
            "it is no http or https address",
            "Write it as people open it, `https://gatehouse.example.org`.",
        ));
    } else if u.path() != "/"
        || u.query().is_some()
        || u.fragment().is_some()
        || !u.username().is_empty()
    {
        p.push(Problem::new("server.public_url", "it has more than scheme, host and port", "The console stands at the root of a host of its own, because its `__Host-` cookies do."));
    } else if u.scheme() == "http" && !loopback {
        p.push(Problem::new("server.public_url", "it is not https", "Browsers keep the session cookie on https only; plain http works on loopback addresses."));
    }
    s.site = s.site.take().map(|f| base.join(f));
    range(
        "server.request_seconds",
        s.request_seconds as i64,
        1,
        600,
        p,
    );
    range(
        "server.body_bytes",
        s.body_bytes as i64,
        16 * 1024,
        64 * 1024 * 1024,
        p,
    );
}

fn database(c: &Config, p: &mut Vec<Problem>) {
    if !["sqlite:", "postgres://", "postgresql://"]
        .iter()
        .any(|s| c.database.url.starts_with(s))
    {
        p.push(Problem::new(
            "database.url",
            "it is neither SQLite nor PostgreSQL",
            "Write `sqlite:/path/gatehouse.db` or `postgres://user:password@host/database`.",
        ));
    }
}

fn oidc(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    let o = &mut c.oidc;
    settle(
        "oidc.client_secret",
        &mut o.client_secret,
        o.client_secret_file.as_deref(),
        base,
        p,
    );
    match url::Url::parse(&o.issuer) {
        Ok(u) if matches!(u.scheme(), "http" | "https") && u.host_str().is_some() => {
            let loopback = matches!(u.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            if u.query().is_some() || u.fragment().is_some() {
                p.push(Problem::new(
                    "oidc.issuer",
                    "an issuer has no query and no fragment",
                    "Copy `issuer` from the provider's discovery document.",
                ));
            } else if u.scheme() == "http" && !loopback {
                p.push(Problem::new("oidc.issuer", "it is not https", "Without TLS anybody on the way can sign in as anybody; plain http works on loopback addresses."));
            }
        }
        _ => p.push(Problem::new(
            "oidc.issuer",
            "it is no http or https address",
            "Copy `issuer` from the provider's discovery document.",
        )),
    }
    if o.client_id.is_empty() {
        p.push(Problem::new(
            "oidc.client_id",
            "it is empty",
            "Register the console at the provider and write its client id here.",
        ));
    }
    if !o.scopes.iter().any(|s| s == "openid") {
        p.push(Problem::new(
            "oidc.scopes",
            "`openid` is not among them",
            "Add it: without it the provider does not say who signed in.",
        ));
    }
    for (key, value) in [
        ("oidc.groups_claim", &o.groups_claim),
        ("oidc.username_claim", &o.username_claim),
    ] {
        if value.is_empty() {
            p.push(Problem::new(
                key,
                "it is empty",
                "Name a claim, or leave the key away for the default.",
            ));
        }
    }
    if o.person_claim.as_deref() == Some("") {
        p.push(Problem::new(
            "oidc.person_claim",
            "it is empty",
            "Name a claim that is the same for all accounts of a person, or leave the key away.",
        ));
    }
    range("oidc.clock_skew_seconds", o.clock_skew_seconds, 0, 600, p);
    o.ca_file = o.ca_file.take().map(|f| base.join(f));
    if let Some(f) = o.ca_file.as_ref().filter(|f| !f.is_file()) {
        p.push(Problem::new(
            "oidc.ca_file",
            format!("there is no file {}", f.display()),
            "Check the path.",
        ));
    }
}

fn limits(c: &Config, p: &mut Vec<Problem>) {
    let s = &c.session;
    range("session.idle_minutes", s.idle_minutes, 1, 24 * 60, p);
    range("session.absolute_hours", s.absolute_hours, 1, 7 * 24, p);
    range(
        "session.groups_max_age_minutes",
        s.groups_max_age_minutes,
        1,
        24 * 60,
        p,
    );
    if s.idle_minutes > s.absolute_hours.saturating_mul(60) {
        p.push(Problem::new(
            "session.idle_minutes",
            "it is longer than session.absolute_hours",
            "Make it shorter, or the other longer.",
        ));
    }
    range(
        "decisions.hold_seconds",
        c.decisions.hold_seconds,
        0,
        3600,
        p,
    );
    range(
        "decisions.expire_hours",
        c.decisions.expire_hours,
        1,
        24 * 90,
        p,
    );
    range(
        "decisions.apply_lease_seconds",
        c.decisions.apply_lease_seconds,
        5,
        600,
        p,
    );
    for (key, label) in [
        ("labels.business_unit", &c.labels.business_unit),
        ("labels.environment", &c.labels.environment),
    ] {
        if label.is_empty()
            || label.len() > 317
            || label
                .chars()
                .any(|ch| ch.is_whitespace() || ch.is_control())
        {
            p.push(Problem::new(
                key,
                "it is no label name",
                "Write it as Kubernetes does, `example.org/business-unit`.",
            ));
        }
    }
}

fn access(c: &Config, p: &mut Vec<Problem>) {
    for (i, g) in c.grants.iter().enumerate() {
        if g.group.is_empty() {
            p.push(Problem::new(
                &format!("grants[{i}].group"),
                "it is empty",
                "Name a group of the provider.",
            ));
        }
        patterns(&format!("grants[{i}]"), &g.units, &g.environments, p);
    }
    for (i, a) in c.approvals.iter().enumerate() {
        patterns(&format!("approvals[{i}]"), &a.units, &a.environments, p);
        if a.stages.is_empty() {
            p.push(Problem::new(&format!("approvals[{i}].stages"), "there is no stage", "Name at least one: `{ role = \"approver\", count = 1 }`. A change that nobody decides is not a setting."));
        }
        for (j, s) in a.stages.iter().enumerate() {
            range(
                &format!("approvals[{i}].stages[{j}].count"),
                s.count.into(),
                1,
                10,
                p,
            );
        }
    }
}

fn patterns(key: &str, units: &[String], environments: &[String], p: &mut Vec<Problem>) {
    for (name, list) in [("units", units), ("environments", environments)] {
        if list.is_empty() || list.iter().any(String::is_empty) {
            p.push(Problem::new(
                &format!("{key}.{name}"),
                "it names nothing",
                "Name some, or write [\"*\"] for all.",
            ));
        }
    }
}

fn clusters(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (i, cl) in c.clusters.iter_mut().enumerate() {
        name(&format!("clusters[{i}].name"), &cl.name, &mut seen, p);
        cl.kubeconfig = cl.kubeconfig.take().map(|f| base.join(f));
        if let Some(f) = cl.kubeconfig.as_ref().filter(|f| !f.is_file()) {
            p.push(Problem::new(
                &format!("clusters[{i}].kubeconfig"),
                format!("there is no file {}", f.display()),
                "Check the path.",
            ));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if cl.kserve_namespace.is_empty() || !cl.kserve_namespace.chars().all(plain) {
            p.push(Problem::new(
                &format!("clusters[{i}].kserve_namespace"),
                format!("`{}` is no name of a namespace", cl.kserve_namespace),
                "Name the one in which KServe's controller runs; its name has small letters, digits and `-`.",
            ));
        }
        for (key, prefix) in [
            ("user_prefix", &cl.user_prefix),
            ("group_prefix", &cl.group_prefix),
        ] {
            if prefix.starts_with("system:") {
                p.push(Problem::new(
                    &format!("clusters[{i}].{key}"),
                    "`system:` names are Kubernetes' own",
                    "Choose another prefix, such as `oidc:`.",
                ));
            }
        }
    }
}

fn registries(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (i, r) in c.registries.iter_mut().enumerate() {
        let key = |k: &str| format!("registries[{i}].{k}");
        name(&key("name"), &r.name, &mut seen, p);
        settle(
            &key("password"),
            &mut r.password,
            r.password_file.as_deref(),
            base,
            p,
        );
        settle(
            &key("notification_token"),
            &mut r.notification_token,
            r.notification_token_file.as_deref(),
            base,
            p,
        );
        if let Some(file) = r.ca_file.take().map(|f| base.join(f)) {
            match std::fs::read_to_string(&file) {
                Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => r.ca_pem = pem,
                Ok(_) => p.push(Problem::new(
                    &key("ca_file"),
                    format!("{} holds no certificate", file.display()),
                    "It has to be PEM, with its BEGIN CERTIFICATE and END CERTIFICATE lines.",
                )),
                Err(e) => p.push(Problem::new(
                    &key("ca_file"),
                    format!("{} cannot be read: {e}", file.display()),
                    "Give the path of a PEM file that the console's user may read.",
                )),
            }
            r.ca_file = Some(file);
        }
        if !matches!(r.url.scheme(), "http" | "https") || r.url.host_str().is_none() {
            p.push(Problem::new(
                &key("url"),
                "it is no http or https address",
                "Write `https://registry.example.org`.",
            ));
        }
        if !r.url.username().is_empty() || r.url.password().is_some() {
            p.push(Problem::new(
                &key("url"),
                "it holds a user name or a password",
                "Use `username` and `password`: addresses are shown.",
            ));
        }
        if r.password.is_some() && r.username.is_none() {
            p.push(Problem::new(
                &key("username"),
                "there is a password and no user name",
                "Add it.",
            ));
        }
        if r.notification_token
            .as_ref()
            .is_some_and(|t| t.expose().len() < 16)
        {
            p.push(Problem::new(
                &key("notification_token"),
                "it is shorter than 16 characters",
                "Make one with `openssl rand -hex 32`.",
            ));
        }
        range(&key("sync_minutes"), r.sync_minutes.into(), 1, 24 * 60, p);
    }
}

fn rest(c: &mut Config, base: &Path, p: &mut Vec<Problem>) {
    settle(
        "metrics.token",
        &mut c.metrics.token,
        c.metrics.token_file.as_deref(),
        base,
        p,
    );
    if c.metrics
        .token
        .as_ref()
        .is_some_and(|t| t.expose().len() < 16)
    {
        p.push(Problem::new(
            "metrics.token",
            "it is shorter than 16 characters",
            "Make one with `openssl rand -hex 32`.",
        ));
    }
    let mut seen = BTreeSet::new();
    for (i, k) in c.trust.cosign_keys.iter().enumerate() {
        name(
            &format!("trust.cosign_keys[{i}].name"),
            &k.name,
            &mut seen,
            p,
        );
        if !k.pem.contains("-----BEGIN PUBLIC KEY-----") {
            p.push(Problem::new(
                &format!("trust.cosign_keys[{i}].pem"),
                "it is no public key in PEM",
                "Copy `cosign.pub`, with its BEGIN and END lines.",
            ));
        }
    }
    if let Some(prom) = &c.prometheus
        && (!matches!(prom.url.scheme(), "http" | "https") || prom.url.host_str().is_none())
    {
        p.push(Problem::new(
            "prometheus.url",
            "it is no http or https address",
            "Write `http://prometheus:9090`.",
        ));
    }
}

/// Names stand in addresses and in the audit log: short, plain, unique.
fn name(key: &str, name: &str, seen: &mut BTreeSet<String>, p: &mut Vec<Problem>) {
    let plain = !name.is_empty()
        && name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !plain {
        p.push(Problem::new(
            key,
            "a name has 1 to 63 letters, digits, `-`, `_` or `.`",
            "Choose such a one.",
        ));
    }
    if !seen.insert(name.to_owned()) {
        p.push(Problem::new(
            key,
            format!("`{name}` is there twice"),
            "Names tell them apart: choose another.",
        ));
    }
}

fn range(key: &str, value: i64, least: i64, most: i64, p: &mut Vec<Problem>) {
    if !(least..=most).contains(&value) {
        p.push(Problem::new(
            key,
            format!("{value} is out of range"),
            format!("Choose {least} to {most}."),
        ));
    }
}
