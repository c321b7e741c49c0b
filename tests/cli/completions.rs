//! What shells offer for a line that is not finished: the real scripts in the real shells, where these are installed,
//! and the real binary behind them.
#![cfg(unix)]

use std::{process::Command, time::Instant};

use imgctl::sandbox::World as Clouds;

use crate::world::World;

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

fn world() -> World {
    World::new(Clouds::seeded(1, 200, chrono::Utc::now()))
}

#[allow(clippy::print_stderr)]
fn is_installed(shell: &str) -> bool {
    let found = Command::new(shell).args(["-c", "true"]).output().is_ok();
    if !found {
        eprintln!("{shell} is not installed: its script is not run");
    }
    found
}

/// The words of a line, the last of which is being typed.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// What a shell would put in place of the last word, with the last word.
fn offered(world: &World, shell: &str, line: &str) -> Vec<String> {
    let script = match shell {
        "bash" => in_bash(line),
        "zsh" => in_zsh(line),
        _ => format!("imgctl completions fish | source; complete -C '{line}'"),
    };
    let output = world.shell(&[shell, "-c", &script]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "", "{shell}: {line}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let word = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    printed.lines().map(word).filter(|word| !word.is_empty()).collect()
}

/// Bash splits words at colons and the like, and what it is given takes the place of the last piece.
fn in_bash(line: &str) -> String {
    let breaks = [':', '=', '@'];
    let last = words(line).pop().unwrap();
    let piece = last.rsplit(breaks).next().unwrap();
    let kept = &last[..last.len() - piece.len()];
    let pieces = line.replace(breaks, " : ");
    let before = pieces.split_whitespace().rev().nth(1).unwrap_or_default();
    format!(
        "source <(imgctl completions bash)
         COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:@'
         COMP_LINE='{line}' COMP_POINT={} COMP_WORDS=({pieces} '{piece}')
         COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
         complete -p imgctl | grep -q -- '-F _imgctl_live' || echo unregistered
         _imgctl_live imgctl '{piece}' '{before}'
         printf '{kept}%s\\n' \"${{COMPREPLY[@]}}\"",
        line.len()
    )
}

/// The parts of zsh's completion that the script calls, as far as it needs them.
fn in_zsh(line: &str) -> String {
    let words = words(line);
    format!(
        "compdef() {{ :; }}
         compadd() {{ print -rl -- \"${{(@P)argv[-1]}}\" }}
         _arguments() {{ print -r -- static }}
         source <(imgctl completions zsh)
         words=({}) CURRENT={} PREFIX='{}'
         _imgctl_live",
        words.iter().map(|word| format!("'{word}' ")).collect::<String>(),
        words.len(),
        words[words.len() - 1],
    )
}

/// Runs in each shell that is here.
fn each_shell(check: impl Fn(&str)) {
    SHELLS.iter().filter(|shell| is_installed(shell)).for_each(|shell| check(shell));
}

#[test]
fn every_part_of_a_reference_is_offered_from_the_store_itself() {
    each_shell(|shell| {
        for (line, some, all) in [
            ("imgctl delete ", "workspace:", 4),
            ("imgctl delete e", "ecr:", 1),
            ("imgctl delete ecr:te", "ecr:team/app:", 2),
            ("imgctl list ecr:te", "ecr:team/app", 2),
            ("imgctl delete -n ecr:base/alpine:3.10-", "ecr:base/alpine:3.10-stable", 1),
            ("imgctl delete ecr://e", "ecr://eu-west-1/", 1),
            ("imgctl get ecr://eu-west-1/to", "ecr://eu-west-1/tools/ci:", 1),
            ("imgctl list cvm:", "cvm://ap-guangzhou/", 1),
            ("imgctl delete cvm:img-2", "cvm:img-2z9lgipz", 3),
            ("imgctl delete workspace://cn-n", "workspace://cn-north-4/", 2),
            ("imgctl delete workspace:69762008", "workspace:697620082246500000", 1),
            ("imgctl help e", "exit-codes", 2),
            ("imgctl help policy c", "check", 1),
            ("imgctl list --region eu-c", "eu-central-1", 2),
            ("imgctl list cvm: --region ap-gu", "ap-guangzhou", 1),
        ] {
            let mut offered = offered(&world(), shell, line);
            // fish always completes file names after a colon; this folder has none.
            offered.sort_unstable();
            assert!(offered.iter().any(|word| word == some), "{shell}: {line}: {offered:?}");
            assert_eq!(offered.len(), all, "{shell}: {line}: {offered:?}");
        }
    });
}

#[test]
fn profiles_and_policies_are_offered_from_their_files() {
    each_shell(|shell| {
        let world = world();
        let write = |name: &str, text: &str| {
            let path = world.home().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(".aws/config", "[profile work-aws]\nregion = eu-west-1\n");
        write(".tccli/work-tencent.credential", "{}");
        write(".huaweicloud/credentials", "[work-huawei]\nak = a\nsk = b\n");
        write("clean.toml", "[policy.web]\nstores = [\"cvm:\"]\nselect = { keep = 3 }\n");
        let mut profiles = offered(&world, shell, "imgctl list --profile work");
        profiles.sort();
        assert_eq!(profiles, ["work-aws", "work-huawei", "work-tencent"], "{shell}");
        assert_eq!(offered(&world, shell, "imgctl prune --policy clean.toml w"), ["web"], "{shell}");
    });
}

/// zsh's own completion, in a terminal of its own.
#[test]
fn zsh_offers_flags_after_a_store() {
    if !is_installed("zsh") {
        return;
    }
    let world = world();
    let script = world.run(&["completions", "zsh"]).stdout;
    // Two colons would make `_arguments` stop offering flags.
    let several: Vec<_> = script.lines().filter(|line| line.starts_with("'*:")).collect();
    assert!(several.len() > 5 && several.iter().all(|line| !line.starts_with("'*::")), "{several:?}");
}

#[test]
fn flags_and_their_values_are_offered_as_ever() {
    each_shell(|shell| {
        let offered = |line| offered(&world(), shell, line);
        // Of zsh's own machinery only this much is there.
        let expected = |word: &'static str| if shell == "zsh" { "static" } else { word };
        for (line, word) in
            [("imgctl delete --dry", "--dry-run"), ("imgctl delete -o ndj", "ndjson"), ("imgctl sch", "schema")]
        {
            assert_eq!(offered(line), [expected(word)], "{shell}: {line}");
        }
        let commands = offered("imgctl ");
        assert!(!commands.iter().any(|word| word.starts_with("__")), "{commands:?}");
    });
}

fn complete(world: &World, word: &str) -> crate::world::Run {
    world.run(&["__complete", &format!("--word={word}"), "--", "imgctl", "delete"])
}

#[test]
fn registries_with_credentials_are_offered_as_such() {
    let known = r#"{"auths":{"ghcr.io":{"auth":"bWU6cHc="},"registry.example.com:5000":{"auth":"bWU6cHc="}}}"#;
    let world = world().set("DOCKER_AUTH_CONFIG", known);
    for (word, offered) in [
        ("oci:", "oci:ghcr.io/\tregistry\noci:registry.example.com:5000/\tregistry\n"),
        ("oci:reg", "oci:registry.example.com:5000/\tregistry\n"),
        ("oci://gh", "oci://ghcr.io/\tregistry\n"),
    ] {
        let run = complete(&world, word);
        assert_eq!((run.stdout.as_str(), run.calls.len()), (offered, 0), "{word}");
    }
}

#[test]
fn one_page_is_asked_for_once() {
    for (word, operations) in [
        ("ecr", &[][..]),
        ("ecr://", &[]),
        ("ecr:t", &["DescribeRepositories"]),
        ("ecr:team/app:", &["DescribeImages"]),
        ("cvm:", &["DescribeImages"]),
    ] {
        let run = complete(&world(), word);
        let called: Vec<_> = run.calls.iter().map(|call| call.operation.as_str()).collect();
        assert_eq!(called, operations, "{}", run.transcript());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    }
}

#[test]
fn when_a_provider_fails_completion_stays_quiet_and_quick() {
    for fault in ["hang", "throttle", "garble", "status=500", "drop"] {
        let world = world().fault(&format!("*:*:{fault}"));
        for word in ["ecr:", "ecr:team/app:", "cvm:", "workspace:"] {
            let started = Instant::now();
            let run = complete(&world, word);
            assert!(started.elapsed().as_secs_f32() < 3.0, "{fault} {word}");
            assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{fault} {word}");
            let only_regions = run.stdout.lines().all(|line| line.ends_with("\tregion"));
            assert!(only_regions, "{}", run.transcript());
            // Workspace logs in before it can be asked.
            assert!(run.calls.len() <= 2, "{}", run.transcript());
        }
    }
    let without = world().unset("AWS_ACCESS_KEY_ID").set("AWS_EC2_METADATA_DISABLED", "true");
    let run = complete(&without, "ecr:team/");
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    for word in ["ecr:nope:", "nope:", "ecr:$(id):", "ecr:team/*", "//", "@", "::", "ecr:'"] {
        let run = complete(&world(), word);
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{word}");
    }
}

#[test]
fn the_scripts_hold_what_asks_for_references() {
    let world = world();
    for (shell, registered) in [
        ("bash", "complete -F _imgctl_live"),
        ("zsh", "compdef _imgctl_live imgctl"),
        ("fish", "-n __imgctl_live"),
        ("powershell", "$global:ImgctlStatic = {"),
    ] {
        let script = world.run(&["completions", shell]).stdout;
        assert!(script.contains(registered), "{shell}");
        assert_eq!(script.matches("imgctl __complete").count(), 1, "{shell}");
    }
    let zsh = world.run(&["completions", "zsh"]).stdout;
    assert_eq!(zsh.matches("compdef _imgctl imgctl").count(), 0);
    let powershell = world.run(&["completions", "powershell"]).stdout;
    assert_eq!(powershell.matches("Register-ArgumentCompleter").count(), 1);
}
