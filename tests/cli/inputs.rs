//! Input that no person types: it is refused with an error, and nothing panics.

#![cfg(unix)]

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use imgctl::sandbox::World as Clouds;

use crate::world::World;

#[test]
fn arguments_that_are_not_text_are_a_usage_error() {
    let world = World::new(Clouds::default());
    let word = OsStr::from_bytes(b"caf\xe9");
    for (arguments, code) in [
        (vec!["list".as_ref(), word], 2),
        (vec!["sandbox".as_ref(), "--fault".as_ref(), word], 2),
        (vec!["__complete".as_ref(), "--word".as_ref(), word], 1),
    ] {
        let run = world.program(env!("CARGO_BIN_EXE_imgctl")).args(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn variables_that_are_not_text_are_never_taken_as_unset() {
    let world = World::new(Clouds::default());
    for (variable, store) in [
        ("AWS_PROFILE", "ecr:team/app"),
        ("TCCLI_PROFILE", "cvm:"),
        ("HW_AUTH_TOKEN", "workspace:"),
        ("IMGCTL_OUTPUT", "cvm:"),
        ("HTTPS_PROXY", "cvm:"),
    ] {
        let mut program = world.program(env!("CARGO_BIN_EXE_imgctl"));
        let run = program.env(variable, OsStr::from_bytes(b"caf\xe9")).args(["list", store]).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(3), "{variable}: {said}");
        assert!(said.contains(&format!("the variable {variable} is not valid UTF-8")), "{said}");
    }
    assert!(world.sandbox.calls().is_empty());
}

#[test]
fn few_files_are_an_error() {
    let world = World::new(Clouds::default());
    let script = format!("ulimit -n 7; exec {} list cvm:", env!("CARGO_BIN_EXE_imgctl"));
    let run = world.program("/bin/sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot open 32 files at once"), "{said}");
}

#[test]
fn empty_input_is_an_error_unless_it_is_allowed() {
    let world = World::new(Clouds::default());
    std::fs::write(world.home().join("none.txt"), "# no images today\n").unwrap();
    let lines = [
        &["delete", "-", "-y"][..],
        &["delete", "--from", "-", "-n"],
        &["delete", "--from", "none.txt", "-y"],
        &["delete", "-y", "cvm:img-00000001", "-"],
        &["get", "-"],
    ];
    for line in lines {
        for input in ["", "\n \n", "# nothing\n"] {
            let run = world.run_with(line, input);
            run.exits(2).says(" is empty: it names no image").says("--allow-empty-input").sends_calls(0);
        }
    }
    for line in [&["delete", "-", "-y"][..], &["delete", "--from", "none.txt", "-n"], &["get", "-"]] {
        let run = world.run_with(&[line, &["--allow-empty-input", "-o", "json"]].concat(), "");
        run.ends(0, []).sends_calls(0);
    }
    // A listing that says that there is no image is not empty.
    let none = world.run(&["list", "cvm:", "-o", "json"]);
    world.run_with(&["delete", "-", "-y", "-o", "json"], &none.stdout).ends(0, []);
    world.run_with(&["restore", "-", "-y"], "").exits(2);
}
