//! `imgctl completions` and `imgctl man`: what shells and readers of manuals want, made from the command line itself.

use clap::Command;
use clap_complete::Shell;

use crate::{
    error::Result,
    exit::Exit,
    help::{Example, examples},
    output,
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    (
        "bash, for this shell; the same line in ~/.bashrc is for all.",
        "source <(imgctl completions bash)",
    ),
    (
        "zsh: any folder of $fpath will do.",
        "imgctl completions zsh > ~/.zfunc/_imgctl",
    ),
    (
        "fish reads this folder by itself.",
        "imgctl completions fish > ~/.config/fish/completions/imgctl.fish",
    ),
    (
        "PowerShell, at the end of the profile.",
        "imgctl completions powershell >> $PROFILE",
    ),
];

/// Print the completion script of a shell
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, mut command: Command) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "imgctl", &mut script);
    output::plain(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
