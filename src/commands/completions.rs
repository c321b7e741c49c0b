//! `imgctl completions`: completion scripts, generated from the command line, with an addition that asks for live values.

use clap::Command;
use clap_complete::Shell;

use crate::{
    complete::scripts,
    error::Result,
    exit::Exit,
    help::{Example, examples},
    output,
};

/// Examples at the end of the help.
const EXAMPLES: [Example; 4] = [
    ("bash: this shell; add the same line to ~/.bashrc for all.", "source <(imgctl completions bash)"),
    ("zsh: use any directory of $fpath.", "imgctl completions zsh > ~/.zfunc/_imgctl"),
    ("fish reads this directory at startup.", "imgctl completions fish > ~/.config/fish/completions/imgctl.fish"),
    ("PowerShell: append the script to your profile.", "imgctl completions powershell >> $PROFILE"),
];

/// Print a shell completion script
#[derive(clap::Args)]
#[command(after_long_help = examples(&EXAMPLES))]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args, mut command: Command) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "imgctl", &mut script);
    output::plain(&live(args.shell, &String::from_utf8_lossy(&script)));
    Ok(Exit::Done)
}

/// clap's script, with an addition that completes references. clap's own part completes everything else.
fn live(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => script.to_owned() + scripts::BASH,
        // The addition replaces the call at the end of clap's script.
        Shell::Zsh => {
            let end = script.rfind("\nif [ \"$funcstack").unwrap_or(script.len());
            // With two colons, zsh offers no flags after the first argument.
            let lines = script[..end].lines().map(|line| match line.strip_prefix("'*::") {
                Some(rest) => format!("'*:{rest}\n"),
                None => format!("{line}\n"),
            });
            lines.collect::<String>() + scripts::ZSH
        }
        Shell::Fish => script.to_owned() + scripts::FISH,
        Shell::PowerShell => {
            let register = "Register-ArgumentCompleter -Native -CommandName 'imgctl' -ScriptBlock {";
            script.replace(register, "$global:ImgctlStatic = {") + scripts::POWERSHELL
        }
        _ => script.to_owned(),
    }
}
