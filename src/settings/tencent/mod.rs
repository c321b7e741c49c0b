//! Tencent Cloud: what its own tools read, in the order in which they read it. Here is the profile in force; the
//! credentials are in `credentials`, region and endpoint in `place`, what the tools' files look like in `files`.

mod credentials;
mod files;
mod place;
mod role;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

pub(super) use self::variables::VARIABLES;
use super::{Env, Settings};
use crate::error::{Error, Kind, Result};
pub use credentials::{Credentials, Keys};
use files::Configure;

const PROFILES: [&str; 2] = ["TCCLI_PROFILE", "TENCENTCLOUD_PROFILE"];

/// A value, and where it was found, in words for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<T> {
    pub value: T,
    pub source: String,
}

/// What the environment and the files say, with the profile that is in force.
pub struct Tencent<'a> {
    env: &'a Env,
    profile: Named<'a>,
    region_flag: Option<&'a str>,
    configure_path: Option<PathBuf>,
    configure: Configure,
}

/// The profile in force.
struct Named<'a> {
    name: &'a str,
    by: By<'a>,
}

/// Who named the profile.
#[derive(Clone, Copy, PartialEq)]
enum By<'a> {
    /// `--profile`: beats keys and region in the environment, as it does in tccli.
    Flag,
    Variable(&'a str),
    Default,
}

impl<'a> Tencent<'a> {
    /// Reads the profile's settings. Credentials are looked for when they are asked for.
    pub fn load(settings: &'a Settings) -> Result<Self> {
        settings.env.readable(VARIABLES)?;
        let region_flag = settings.region.as_deref();
        Ok(Self { region_flag, ..Self::from(&settings.env, settings.profile.as_deref(), &read)? })
    }

    fn from(env: &'a Env, flag: Option<&'a str>, read: &Read<'_>) -> Result<Self> {
        let profile = match (flag, env.first(&PROFILES)) {
            (Some(name), _) => Named { name, by: By::Flag },
            (None, Some((variable, name))) => Named { name, by: By::Variable(variable) },
            (None, None) => Named { name: "default", by: By::Default },
        };
        if profile.name.contains(['/', '\\']) || profile.name.starts_with('.') {
            let message = format!("\"{}\" is not a profile name", profile.name);
            return Err(Error::new(Kind::Config, message));
        }
        let mut tencent =
            Self { env, profile, region_flag: None, configure_path: None, configure: Configure::default() };
        if let Some(path) = tencent.profile_file("configure")
            && let Some(text) = text_of(&path, read)?
        {
            tencent.configure = files::configure(&path, &text)?;
            tencent.configure_path = Some(path);
        }
        Ok(tencent)
    }

    /// `~/.tccli/PROFILE.KIND`, or the same in the folder that Terraform's variable names.
    fn profile_file(&self, kind: &str) -> Option<PathBuf> {
        Some(profile_folder(self.env)?.join(format!("{}.{kind}", self.profile.name)))
    }
}

fn profile_folder(env: &Env) -> Option<PathBuf> {
    match env.get("TENCENTCLOUD_SHARED_CREDENTIALS_DIR") {
        Some(folder) => match folder.strip_prefix("~/") {
            Some(below) => env.home(below),
            None => Some(folder.into()),
        },
        None => env.home(".tccli"),
    }
}

/// The profiles of tccli, for completion.
pub fn profiles(env: &Env) -> Vec<String> {
    let files = profile_folder(env).and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| file.file_name().to_str()?.strip_suffix(".credential").map(str::to_owned);
    files.filter_map(name).collect()
}

/// The region that is set up, to offer it.
pub fn region(settings: &Settings) -> Option<String> {
    let region = Tencent::load(settings).ok()?.own_region();
    region.ok().map(|found| found.value)
}

type Read<'a> = dyn Fn(&Path) -> io::Result<String> + Sync + 'a;

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
}

/// A file's text; `None` if the file does not exist.
fn text_of(path: &Path, read: &Read<'_>) -> Result<Option<String>> {
    match read(path) {
        // Windows editors write a byte order mark.
        Ok(text) => Ok(Some(text.trim_start_matches('\u{feff}').to_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(files::broken(path, format!("cannot be read: {}", error.kind()))),
    }
}
