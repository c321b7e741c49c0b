//! `imgctl completions`: the scripts of shells, made from the command line itself, with what asks for live values.

use clap::Command;
use clap_complete::Shell;

use crate::{
    complete::scripts,
    error::Result,
    exit::Exit,
    help::{Example, examples},
    output,
};

/// The end of the help.
const EXAMPLES: [Example; 4] = [
    ("bash, for this shell; the same line in ~/.bashrc is for all.", "source <(imgctl completions bash)"),
    ("zsh: any folder of $fpath will do.", "imgctl completions zsh > ~/.zfunc/_imgctl"),
    ("fish reads this folder by itself.", "imgctl completions fish > ~/.config/fish/completions/imgctl.fish"),
    ("PowerShell, at the end of the profile.", "imgctl completions powershell >> $PROFILE"),
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
    output::plain(&live(args.shell, &String::from_utf8_lossy(&script)));
    Ok(Exit::Done)
}

/// clap's script with what asks for references added. clap's own part stays in force wherever none is wanted.
fn live(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => script.to_owned() + scripts::BASH,
        // It ends with a call of its own, which the other takes the place of.
        Shell::Zsh => {
            let end = script.rfind("\nif [ \"$funcstack").unwrap_or(script.len());
            script[..end].to_owned() + scripts::ZSH
        }
        Shell::Fish => script.to_owned() + scripts::FISH,
        Shell::PowerShell => {
            let register = "Register-ArgumentCompleter -Native -CommandName 'imgctl' -ScriptBlock {";
            script.replace(register, "$global:ImgctlStatic = {") + scripts::POWERSHELL
        }
        _ => script.to_owned(),
    }
}
