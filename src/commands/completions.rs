//! `imgctl completions` and `imgctl man`: what shells and readers of manuals want, made from the command line itself.

use clap::Command;
use clap_complete::Shell;

use crate::{error::Result, exit::Exit, output};

/// Print the completion script of a shell
///
/// For example: `imgctl completions bash > /etc/bash_completion.d/imgctl`, `imgctl completions fish >
/// ~/.config/fish/completions/imgctl.fish`.
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, mut command: Command) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "imgctl", &mut script);
    output::plain(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
