//! The pipelines of `.github` against the schemas of GitHub and GitLab, which come with `check-jsonschema`.

use std::{fs, path::PathBuf, process::Command};

use super::clients;

/// A schema, with what it needs to know, and the files that must fit it.
const CHECKED: [(&[&str], &[&str]); 3] = [
    (
        &["vendor.github-workflows"],
        &[".github/workflows/ci.yml", ".github/workflows/release.yml", ".github/examples/github.yml"],
    ),
    (&["vendor.github-actions"], &[".github/actions/imgctl/action.yml"]),
    (&["vendor.gitlab-ci", "--data-transform", "gitlab-ci"], &[".github/examples/gitlab.yml"]),
];

fn fits(schema: &[&str], file: &PathBuf) -> Result<(), String> {
    let folder = PathBuf::from(std::env::var_os("IMGCTL_OFFICIAL_CLIENTS").unwrap_or_default());
    let mut check = Command::new(folder.join("pipelines/bin/check-jsonschema"));
    let done = check.arg("--builtin-schema").args(schema).arg(file).output().expect("the checker is installed");
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)),
    }
}

#[test]
fn pipelines_fit_the_schemas_of_their_services() {
    if !clients("pipelines") {
        return;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let broken = tempfile::tempdir().unwrap();
    for (schema, files) in CHECKED {
        for name in files {
            let file = root.join(name);
            fits(schema, &file).unwrap_or_else(|why| panic!("{name}: {why}"));
            // A schema that takes anything would prove nothing.
            let copy = broken.path().join(file.file_name().unwrap());
            let text = fs::read_to_string(&file).unwrap();
            let wrong =
                ["\njobs:", "\nruns:", "\n  script:"].iter().fold(text, |text, key| text.replace(key, "\n  - :"));
            fs::write(&copy, wrong).unwrap();
            assert!(fits(schema, &copy).is_err(), "{name} also fits when it is broken");
        }
    }
}
