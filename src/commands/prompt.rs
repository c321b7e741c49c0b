//! A shell inside the sandbox shows where it is: with a greeting, and with a mark before its prompt.

use std::{ffi::OsString, fs, io, path::Path};

use tokio::process::Command;

const MARK: &str = "[sandbox]";

/// What a shell says when it begins.
pub fn greeting(shell: &str) -> String {
    format!(
        "This {shell} is in the sandbox: its clouds run on this machine, and nothing in it is real. imgctl, the providers' \
         tools and skopeo find them. Type `exit` to leave."
    )
}

/// The name of the shell that these words start for a person to type in.
pub fn shell(words: &[OsString]) -> Option<&str> {
    let [program] = words else { return None };
    let name = Path::new(program).file_name()?.to_str()?;
    ["bash", "dash", "fish", "sh", "zsh"].contains(&name).then_some(name)
}

/// Makes a shell mark its prompt, after everything that the user set up for it.
pub fn mark(command: &mut Command, shell: &str, folder: &Path) -> io::Result<()> {
    match shell {
        "bash" => {
            let file = folder.join("bashrc");
            fs::write(&file, format!("[ -f ~/.bashrc ] && . ~/.bashrc\nPS1='{MARK} '\"$PS1\"\n"))?;
            command.arg("--rcfile").arg(file);
        }
        "zsh" => {
            let own = r#"ZDOTDIR=${OWN_ZDOTDIR:-$HOME}"#;
            let rc = format!("{own}\n[ -f $ZDOTDIR/.zshrc ] && . $ZDOTDIR/.zshrc\nPROMPT='{MARK} '\"$PROMPT\"\n");
            fs::write(folder.join(".zshrc"), rc)?;
            fs::write(
                folder.join(".zshenv"),
                "[ -f ${OWN_ZDOTDIR:-$HOME}/.zshenv ] && . ${OWN_ZDOTDIR:-$HOME}/.zshenv\n",
            )?;
            if let Some(own) = std::env::var_os("ZDOTDIR") {
                command.env("OWN_ZDOTDIR", own);
            }
            command.env("ZDOTDIR", folder);
        }
        "fish" => {
            let rest =
                format!("functions -c fish_prompt _of_user; function fish_prompt; echo -n '{MARK} '; _of_user; end");
            command.arg("-C").arg(rest);
        }
        _ => {
            command.env("PS1", format!("{MARK} $ "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_shell_without_arguments_is_for_typing() {
        let of = |words: &[&str]| shell(&words.iter().map(OsString::from).collect::<Vec<_>>()).map(str::to_owned);
        assert_eq!(of(&["/bin/bash"]).as_deref(), Some("bash"));
        assert_eq!(of(&["bash", "-c", "true"]), None);
        assert_eq!(of(&["imgctl"]), None);
    }
}
