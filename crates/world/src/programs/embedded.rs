//! The modules' files, embedded, and the hash of what each binary is built from.

use sha2::{Digest, Sha256};

/// The files of one folder under `programs/`: name and content.
pub(super) type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($folder:literal: $($name:literal),+) => {
        &[$(($name, include_str!(concat!("../../programs/", $folder, "/", $name)))),+]
    };
}

/// Flags that change what comes out; part of the hash.
pub(super) const LDFLAGS_KUBERNETES: &str = concat!(
    "-s -w",
    " -X k8s.io/component-base/version.gitVersion=v1.34.4",
    " -X k8s.io/component-base/version.gitMajor=1",
    " -X k8s.io/component-base/version.gitMinor=34",
    " -X k8s.io/component-base/version.gitTreeState=clean",
    " -X k8s.io/client-go/pkg/version.gitVersion=v1.34.4",
    " -X k8s.io/client-go/pkg/version.gitMajor=1",
    " -X k8s.io/client-go/pkg/version.gitMinor=34",
);

/// Linker flags of a module's programs.
pub(super) fn ldflags(module: &str) -> &'static str {
    match module {
        "kubernetes" => LDFLAGS_KUBERNETES,
        _ => "-s -w",
    }
}

/// A module's files.
///
/// # Panics
/// For a name that is not a folder under `programs/`: a mistake in this crate.
pub(super) fn module_files(module: &str) -> Files {
    match module {
        "kubernetes" => files!("kubernetes": "go.mod", "go.sum", "tools.go"),
        "etcd" => files!("etcd": "go.mod", "go.sum", "main.go"),
        "kwok" => files!("kwok": "go.mod", "go.sum", "tools.go"),
        "registry" => files!("registry": "go.mod", "go.sum", "tools.go"),
        "prometheus" => files!("prometheus": "go.mod", "go.sum", "tools.go"),
        "clients" => files!("clients": "go.mod", "go.sum", "tools.go"),
        other => panic!("no module {other}"),
    }
}

/// The provider's package files.
pub(super) const PROVIDER_PACKAGE: Files = files!("oidc": "package.json", "package-lock.json");

/// The provider's own program.
pub(super) const PROVIDER_PROGRAM: Files =
    files!("oidc": "provider.mjs", "store.mjs", "pages.mjs", "admin.mjs", "misbehave.mjs");

fn hash(files: Files, extra: &str) -> String {
    let mut hasher = Sha256::new();
    for (name, content) in files {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(content.as_bytes());
        hasher.update([0]);
    }
    hasher.update(extra.as_bytes());
    hex::encode(&hasher.finalize()[..8])
}

/// The hash of a module's files, flags and this machine's architecture.
pub(super) fn module_hash(module: &str) -> String {
    let extra = format!(
        "{} {} {}",
        ldflags(module),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    hash(module_files(module), &extra)
}

/// The hash of the provider's packages.
pub(super) fn provider_hash() -> String {
    hash(PROVIDER_PACKAGE, "")
}

/// The hash of the provider's own program.
pub(super) fn provider_program_hash() -> String {
    hash(PROVIDER_PROGRAM, "")
}
