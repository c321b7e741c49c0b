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
