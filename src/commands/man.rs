//! `imgctl man`: manual pages, made from the command line itself.

use std::path::PathBuf;

use clap::Command;

use crate::{
    error::{Error, Kind, Result},
    exit::Exit,
    output,
};

/// Print the manual page, or write one a command into a folder
#[derive(clap::Args)]
pub struct Args {
    /// The folder to write `imgctl.1`, `imgctl-delete.1`, … into
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, command: Command) -> Result<Exit> {
    let wrong = |error: std::io::Error| {
        Error::new(Kind::Config, format!("cannot write the manual: {error}"))
    };
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(command, folder))
                .map_err(wrong)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(wrong)?;
            output::plain(&String::from_utf8_lossy(&page));
        }
    }
    Ok(Exit::Done)
}
