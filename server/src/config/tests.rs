use super::*;

const GOOD: &str = r#"
[server]
public_url = "http://127.0.0.1:8080"
secret_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
[database]
url = "sqlite:gatehouse.db"
[oidc]
issuer = "http://localhost:9000"
client_id = "gatehouse"
client_secret = "s3cret"
[[grants]]
group = "gh-approvers-retail"
role = "approver"
units = ["retail"]
environments = ["*"]
[[approvals]]
units = ["*"]
environments = ["production"]
stages = [{ role = "approver", count = 1 }]
[[registries]]
name = "main"
url = "http://127.0.0.1:5000"
rules = [{ repository = "models/**", tag = { regex = ".*" }, enabled = true }]
[[trust.cosign_keys]]
name = "release"
pem = "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"
[prometheus]
url = "http://127.0.0.1:9090"
"#;

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read(Figment::from(Toml::string(text)), Path::new("."))
}

/// `key: what is wrong` of each problem.
fn problems(text: &str) -> Vec<String> {
    read(text)
        .expect_err("refused")
        .0
        .into_iter()
        .map(|p| format!("{}: {}", p.key, p.wrong))
        .collect()
}

#[test]
fn a_small_file_is_enough() {
    let c = read(GOOD).expect("good");
    assert_eq!(c.server.listen, "127.0.0.1:8080".parse().expect("address"));
    assert_eq!(c.secret_key(), [1; 32]);
    assert_eq!(c.session.idle_minutes, 30);
    assert_eq!(c.settings().hold, 10_000_000);
    assert!(!c.https());
}

#[test]
fn the_addresses_of_registries_can_be_narrowed() {
    let c = read(GOOD).expect("good").registries_policy;
    assert!(c.loopback && c.private && !c.link_local);
    let c = read(&format!("{GOOD}\n[registries_policy]\nloopback = false\n"));
    let c = c.expect("good").registries_policy;
    assert!(!c.loopback && c.private && !c.link_local);
}

#[test]
fn a_lease_is_long_enough_to_apply_and_short_enough_to_take_over() {
    let lease = |seconds: i64| format!("{GOOD}\n[decisions]\napply_lease_seconds = {seconds}\n");
    assert_eq!(read(GOOD).expect("good").settings().lease, 60_000_000);
    assert_eq!(read(&lease(5)).expect("good").settings().lease, 5_000_000);
    for wrong in [4, 601] {
        assert_eq!(
            problems(&lease(wrong)),
            [format!(
                "decisions.apply_lease_seconds: {wrong} is out of range"
            )]
        );
    }
}

#[test]
fn an_unknown_key_is_named_with_its_neighbours() {
    let e = read(&GOOD.replace("client_id", "clientid"))
        .expect_err("refused")
        .to_string();
    assert!(e.contains("oidc.clientid: there is no such key"), "{e}");
    assert!(e.contains("client_id"), "{e}");
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = GOOD
        .replace(
            "http://127.0.0.1:8080",
            "http://gatehouse.example.org/console",
        )
        .replace("sqlite:", "mysql:")
        .replace("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "c2hvcnQ=");
    assert_eq!(
        problems(&text),
        [
            "server.secret_key: it is not 32 bytes in base64",
            "server.public_url: it has more than scheme, host and port",
            "database.url: it is neither SQLite nor PostgreSQL",
        ]
    );
}

#[test]
fn plain_http_is_for_loopback() {
    assert_eq!(
        problems(&GOOD.replace("http://localhost:9000", "http://id.example.org")),
        ["oidc.issuer: it is not https"]
    );
    assert_eq!(
        problems(&GOOD.replace("http://127.0.0.1:8080", "http://gatehouse.example.org")),
        ["server.public_url: it is not https"]
    );
}

#[test]
fn a_change_that_nobody_decides_is_not_a_setting() {
    assert_eq!(
        problems(&GOOD.replace(
            "stages = [{ role = \"approver\", count = 1 }]",
            "stages = []"
        )),
        ["approvals[0].stages: there is no stage"]
    );
}

#[test]
fn a_secret_comes_from_a_file_and_from_one_place_only() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("oidc"), "from-file\n").expect("written");
    let read = |text: &str| Config::read(Figment::from(Toml::string(text)), dir.path());
    let c = read(&GOOD.replace(
        "client_secret = \"s3cret\"",
        "client_secret_file = \"oidc\"",
    ))
    .expect("good");
    assert_eq!(c.oidc.client_secret.expect("there").expose(), "from-file");
    let both = read(&GOOD.replace(
        "client_secret = \"s3cret\"",
        "client_secret = \"a\"\nclient_secret_file = \"oidc\"",
    ));
    assert_eq!(
        both.expect_err("refused").0[0].key,
        "oidc.client_secret_file"
    );
}

#[test]
fn a_secret_of_the_wrong_type_is_not_repeated() {
    let e = read(&GOOD.replace("client_secret = \"s3cret\"", "client_secret = 483211"))
        .expect_err("refused")
        .to_string();
    assert!(!e.contains("483211"), "{e}");
    assert!(!format!("{:?}", read(GOOD).expect("good")).contains("s3cret"));
}

#[test]
fn a_missing_key_is_named() {
    assert_eq!(
        problems(&GOOD.replace("client_id = \"gatehouse\"", "")),
        ["oidc.client_id: it is missing"]
    );
}

#[test]
fn a_registry_may_have_an_authority_of_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).expect("written");
    };
    let pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    file("ca.pem", pem);
    file("key.pem", "-----BEGIN PRIVATE KEY-----");
    let with = |ca: &str| {
        let text = GOOD.replace(
            "name = \"main\"",
            &format!("name = \"main\"\nca_file = \"{ca}\""),
        );
        Config::read(Figment::from(Toml::string(&text)), dir.path())
    };
    assert_eq!(with("ca.pem").expect("good").registries[0].ca_pem, pem);
    for bad in ["key.pem", "nowhere.pem"] {
        let e = with(bad).expect_err("refused");
        assert_eq!(e.0[0].key, "registries[0].ca_file");
    }
}
