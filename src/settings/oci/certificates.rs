//! The certificates that docker and podman trust for one registry beside the system's, because its owner signed its
//! certificate: the `*.crt` files in `certs.d/HOST[:PORT]`.
//! <https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md>

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::credentials::CONFIG_HOME;
use crate::{
    error::{Error, Kind, Result},
    settings::Env,
};

/// Certificates of authorities, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    pub pem: Vec<u8>,
    /// Where they are.
    pub folder: String,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The certificates for a registry: those of the first folder that has any.
pub(super) fn find(env: &Env, host: &str) -> Result<Option<Certificates>> {
    let own = env.get(CONFIG_HOME).map(PathBuf::from).or(env.home(".config"));
    let own = own.into_iter().flat_map(|folder| [folder.join("containers"), folder.join("docker")]);
    let of_machine = ["/etc/containers", "/etc/docker"].map(PathBuf::from);
    for folder in own.chain(of_machine) {
        let folder = folder.join("certs.d").join(host);
        let pem = read(&folder)?;
        if !pem.is_empty() {
            return Ok(Some(Certificates { pem, folder: folder.display().to_string() }));
        }
    }
    Ok(None)
}

/// What the certificates of a folder hold, in the order of their names.
fn read(folder: &Path) -> Result<Vec<u8>> {
    // Like podman, go on where a folder is not there or is another user's.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "crt"));
    files.sort();
    let mut pem = Vec::new();
    for file in files {
        let wrong = |why: String| {
            Error::new(Kind::Config, format!("{} {why}", file.display()))
                .hint("a .crt file there holds certificates of authorities as PEM text")
        };
        match fs::read(&file) {
            Ok(bytes) if String::from_utf8_lossy(&bytes).contains(BEGIN) => pem.extend([&bytes[..], b"\n"].concat()),
            Ok(_) => return Err(wrong("holds no certificate".into())),
            // A link that leads nowhere.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(wrong(format!("cannot be read: {}", error.kind()))),
        }
    }
    Ok(pem)
}
