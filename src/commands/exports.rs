//! Shell commands that point a terminal at a sandbox. No line is longer than a terminal of 100 columns, unless one value is.

use clap::ValueEnum;

use super::inside::cleared;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Fish,
    Powershell,
}

/// The columns that a line has.
const WIDTH: usize = 100;

impl Shell {
    /// Unsets what would lead past the sandbox, and sets its variables.
    pub(super) fn script(self, variables: &[(&str, String)]) -> String {
        let (unset, between, before) = match self {
            Self::Bash => ("unset", " ", ""),
            Self::Fish => ("set -e", " ", ""),
            Self::Powershell => ("Remove-Item -ErrorAction Ignore", ",", "Env:"),
        };
        let mut lines: Vec<String> = Vec::new();
        // The terminal that reads this may have variables that this process has not.
        for name in cleared(variables) {
            let name = format!("{before}{name}");
            match lines.last_mut() {
                Some(line) if line.len() + between.len() + name.len() <= WIDTH => {
                    line.push_str(between);
                    line.push_str(&name);
                }
                _ => lines.push(format!("{unset} {name}")),
            }
        }
        lines.extend(variables.iter().map(|(name, value)| match self {
            Self::Bash => format!("export {name}='{value}'"),
            Self::Fish => format!("set -gx {name} '{value}'"),
            Self::Powershell => format!("$env:{name} = '{value}'"),
        }));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_a_provider_is_set_or_unset_on_lines_that_fit() {
        let set = [("AWS_REGION", "eu-west-1".to_owned())];
        for (shell, first, last) in [
            (Shell::Bash, "unset ", "export AWS_REGION='eu-west-1'"),
            (Shell::Fish, "set -e ", "set -gx AWS_REGION 'eu-west-1'"),
            (Shell::Powershell, "Remove-Item -ErrorAction Ignore Env:", "$env:AWS_REGION = 'eu-west-1'"),
        ] {
            let script = shell.script(&set);
            assert!(script.starts_with(first) && script.lines().last() == Some(last), "{script}");
            assert!(script.lines().all(|line| line.len() <= WIDTH), "{script}");
            let words: Vec<_> = script.split([' ', ',', '\n']).map(|word| word.trim_start_matches("Env:")).collect();
            for name in crate::settings::variables().filter(|name| *name != "AWS_REGION") {
                assert!(words.contains(&name), "{name} in {script}");
            }
            assert!(["AWS_SESSION_TOKEN", "AWS_PROFILE"].iter().all(|name| words.contains(name)));
        }
    }
}
