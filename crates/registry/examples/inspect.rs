//! What the console would know of a registry, on the command line:
//! `cargo run -p registry --example inspect -- URL NOW [KEY.pub …]`, with `REGISTRY_USERNAME` and
//! `REGISTRY_PASSWORD` in the environment and NOW such as `2026-11-24T00:00:00Z`.

use domain::{Micros, artifact::TrustedKey};
use registry::{AddressPolicy, Client, RegistryConfig, RegistryError, Secret, Transport};

#[tokio::main]
async fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: inspect URL NOW [KEY.pub …]";
    let url = args.next().ok_or(usage)?;
    let now = args
        .next()
        .and_then(|text| Micros::parse(&text))
        .ok_or(usage)?;
    let mut trusted = Vec::new();
    for path in args {
        let pem = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
        trusted.push(TrustedKey { name: path, pem });
    }
    let mut config = RegistryConfig::new(url);
    if let (Ok(name), Ok(password)) = (
        std::env::var("REGISTRY_USERNAME"),
        std::env::var("REGISTRY_PASSWORD"),
    ) {
        config = config.with_credentials(name, Secret::new(password));
    }
    let say = |e: RegistryError| format!("{} {}", e.message(), e.remedy());
    let transport = Transport::new(AddressPolicy::default(), &[]).map_err(say)?;
    let client = Client::new(&transport, config).map_err(say)?;
    println!("{:?}", client.validate().await.map_err(say)?);
    let mut cursor = None;
    loop {
        let page = client
            .repositories(cursor.as_deref(), 100)
            .await
            .map_err(say)?;
        for repository in &page.items {
            if let Err(e) = show(&client, repository, &trusted, now).await {
                println!("{repository}: {}", e.message());
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

async fn show(
    client: &Client,
    repository: &str,
    trusted: &[TrustedKey],
    now: Micros,
) -> Result<(), RegistryError> {
    for tag in client.all_tags(repository).await? {
        let digest = client.resolve(repository, &tag).await?;
        let found = client.inspect(repository, &digest, trusted, now).await?;
        let facts = &found.facts;
        println!(
            "{repository}:{tag} {} {}\n  {:?} {:?} {:?} parameters {:?} quantisation {:?} context {:?} licence {:?} bytes {:?}\n  {} scan {:?} files {} {} pickle {:?}",
            digest.short(),
            found.kind.label(),
            facts.format,
            facts.task,
            facts.architecture,
            facts.parameters,
            facts.quantisation,
            facts.context_length,
            facts.licence,
            facts.size_bytes,
            found.signature.sentence(),
            found.scan.as_ref().map(|s| (s.state, &s.reason)),
            facts.files.entries.len(),
            if facts.files.complete {
                "(all)"
            } else {
                "(not all)"
            },
            found.pickle.as_ref().map(|p| p.state),
        );
        for note in &facts.notes {
            println!("  note: {note}");
        }
    }
    Ok(())
}
