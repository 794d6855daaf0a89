//! The world's own certificate authority and the keys of its parts.
//!
//! Everything that a part of the world shows to another is signed by one authority, made when
//! the world is: API servers, kubelets and the proxies.

use crate::addresses::CosignKey;
use crate::error::{Error, Result, write_file};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::path::{Path, PathBuf};

/// Where the keys lie.
#[derive(Debug, Clone)]
pub struct Pki {
    dir: PathBuf,
}

/// A certificate with its key, as two PEM files.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key (PKCS#8).
    pub key: PathBuf,
}

impl Pki {
    /// The keys in `dir`, made when they are not there yet.
    ///
    /// # Errors
    /// When a key cannot be made or written.
    pub fn ensure(dir: &Path) -> Result<Self> {
        let pki = Self {
            dir: dir.to_path_buf(),
        };
        if !pki.dir.join("complete").exists() {
            pki.make()?;
            write_file(&pki.dir.join("complete"), b"", false)?;
        }
        Ok(pki)
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The API servers' pair.
    pub fn api_server(&self) -> Pair {
        self.pair("api-server")
    }

    /// The kubelets' pair.
    pub fn kubelet(&self) -> Pair {
        self.pair("kubelet")
    }

    /// The pair of the proxies in front of API servers.
    pub fn proxy(&self) -> Pair {
        self.pair("proxy")
    }

    /// The private key that signs service accounts' tokens.
    pub fn service_account_key(&self) -> PathBuf {
        self.dir.join("service-accounts.key")
    }

    /// The public key that checks service accounts' tokens.
    pub fn service_account_public_key(&self) -> PathBuf {
        self.dir.join("service-accounts.pub")
    }

    fn pair(&self, name: &str) -> Pair {
        Pair {
            cert: self.dir.join(format!("{name}.crt")),
            key: self.dir.join(format!("{name}.key")),
        }
    }

    fn make(&self) -> Result<()> {
        let ca_key = KeyPair::generate().map_err(Error::other)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Gatehouse world");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let ca = params.self_signed(&ca_key).map_err(Error::other)?;
        write_file(&self.ca(), ca.pem(), false)?;
        let issuer = Issuer::new(params, ca_key);
        for pair in [self.api_server(), self.kubelet(), self.proxy()] {
            let names = [
                "localhost",
                "127.0.0.1",
                "10.96.0.1",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
            ];
            let key = KeyPair::generate().map_err(Error::other)?;
            let mut params =
                CertificateParams::new(names.map(String::from)).map_err(Error::other)?;
            params
                .distinguished_name
                .push(DnType::CommonName, "gatehouse-world");
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.use_authority_key_identifier_extension = true;
            let cert = params.signed_by(&key, &issuer).map_err(Error::other)?;
            write_file(&pair.cert, cert.pem(), false)?;
            write_file(&pair.key, key.serialize_pem(), true)?;
        }
        let accounts = KeyPair::generate().map_err(Error::other)?;
        write_file(&self.service_account_key(), accounts.serialize_pem(), true)?;
        write_file(
            &self.service_account_public_key(),
            accounts.public_key_pem(),
            false,
        )
    }
}

/// A key pair for cosign signatures (ECDSA P-256), made when it is not there yet. The private key
/// is plain PKCS#8; `cosign import-key-pair --key` turns it into cosign's own form.
///
/// # Errors
/// When a key cannot be made or written.
pub fn cosign_key(dir: &Path, name: &str, trusted: bool) -> Result<CosignKey> {
    let public_key = dir.join(format!("{name}.pub"));
    let private_key = dir.join(format!("{name}.key"));
    if !public_key.exists() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(Error::other)?;
        write_file(&private_key, key.serialize_pem(), true)?;
        write_file(&public_key, key.public_key_pem(), false)?;
    }
    Ok(CosignKey {
        name: name.to_owned(),
        public_key,
        private_key,
        trusted,
    })
}
