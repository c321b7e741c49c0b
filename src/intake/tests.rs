//! Every shape of a list, and what is said of those that are none.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::image::{ImageRef, arbitrary};

fn list(text: &(impl AsRef<[u8]> + ?Sized)) -> Result<Vec<String>> {
    let mut list = List::new(Empty::Allowed);
    list.source("list", text.as_ref())?;
    Ok(list.references.iter().map(ToString::to_string).collect())
}

#[test]
fn a_list_is_lines_or_our_own_json_in_any_shape_that_a_filter_leaves() {
    for text in [
        "ecr:aa:1\ncvm:img-2\n",
        "ecr:aa:1\r\ncvm:img-2",
        "\u{feff}# stale\r\n\r\n  ecr:aa:1  \r\ncvm:img-2\t\r\necr:aa:1",
        "{\"ref\":\"ecr:aa:1\",\"outcome\":\"missing\"}\n{\"provider\":\"cvm\",\"ref\":\"cvm:img-2\"}\n",
        "{\"schema\":\"imgctl/v1\",\"items\":[\n{\"ref\":\"ecr:aa:1\"},\n{\"ref\":\"cvm:img-2\"}\n],\"summary\":{}}",
        "{\"items\":[{\"ref\":\"ecr:aa:1\",\"error\":{\"kind\":\"x\"}},{\"ref\":\"cvm:img-2\"}]}",
        "[\n  {\n \"ref\": \"ecr:aa:1\"},\n  \"cvm:img-2\"\n]\n",
        "[\"ecr:aa:1\",\"cvm:img-2\"]",
        "\"ecr:aa:1\"\n\"cvm:img-2\"\n",
        "\u{feff}{\n  \"ref\": \"ecr:aa:1\"\n}\n{\n  \"ref\": \"cvm:img-2\"\n}\n",
        "{\"ref\":\"ecr:aa:1\"}{\"ref\":\"cvm:img-2\"}",
        "\"ecr:aa:1\" \"cvm:img-2\"\n",
        "{\"ref\":\"ecr:\\u0061a:1\"}\n# by hand\ncvm:img-2\n",
        "ecr:aa:1\n{\n\"ref\":\"cvm:img-2\"}",
        "ecr:aa:1\tactive\tsha256:x\tv1\ncvm:img-2\tnormal\t\t\n",
    ] {
        assert_eq!(list(text).unwrap(), ["ecr:aa:1", "cvm:img-2"], "{text}");
    }
    for empty in ["", "\n \n", "\u{feff}", "# nothing", "[]", "{\"items\":[]}"] {
        assert!(list(empty).unwrap().is_empty(), "{empty}");
    }
}

#[test]
fn an_error_names_the_source_and_the_line() {
    for (text, place) in [
        ("ecr:aa:1\nnonsense\n", "list, line 2: the reference does not say which provider it is for"),
        ("\r\n# x\n\n ecr:aa \n", "list, line 4: this names a repository and no image"),
        ("ecr:aa:1\n{\"name\":1}", "list, line 2: this object has no \"ref\""),
        ("ecr:aa:1\n\n{\"ref\":}", "list, line 3: cannot read this JSON: expected value"),
        ("{\n\"ref\":\n}", "list, line 3: cannot read this JSON: "),
        ("{\n\"items\": [\n\"ecr:aa:1\",\n{\"ref\": \"nonsense\"}\n]\n}", "list, line 4: the reference does not say"),
        ("[\n1\n]", "list, line 2: cannot read this JSON: invalid type: integer `1`, expected a reference"),
        ("[\"ecr:aa:1\", null]", "list, line 1: cannot read this JSON: invalid type: null"),
        ("{\"ref\":null}", "list, line 1: cannot read this JSON: invalid type: null"),
        ("{\"items\":[\n", "list, line 1: cannot read this JSON: EOF"),
        ("[\"ecr:aa:1\"],", "list, line 1: "),
        ("{\n\"ref\":\n\"ecr:aa:1\"}\n12\n", "list, line 4: "),
        ("12\n", "list, line 1: "),
        ("ecr:aa:1 cvm:img-2", "list, line 1: a reference cannot contain spaces"),
    ] {
        let error = list(text).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.starts_with(place), "{}", error.message);
    }
    for (bytes, said) in [
        (b"ecr:aa:1\n\xe9\n".as_slice(), "list, line 2: not valid UTF-8"),
        (b"{\"ref\":\"\xe9\"}", "list, line 1: cannot read this JSON: invalid unicode"),
        (b"\xff\xfee\0c\0r\0", "list, line 1: the text is UTF-16"),
        (b"\xfe\xff\0e\0c\0r", "list, line 1: the text is UTF-16"),
    ] {
        let error = list(bytes).unwrap_err();
        assert!(error.message.starts_with(said), "{}", error.message);
    }
    let deep = "[".repeat(100_000);
    assert!(list(&deep).unwrap_err().message.contains("recursion limit"));
}

#[test]
fn the_error_of_a_reference_still_shows_its_place() {
    let error = list("{\"ref\":\"ecr:App:1\"}").unwrap_err();
    assert_eq!(error.message, "list, line 1: repository names are in lower case");
    assert_eq!(error.hint.as_deref(), Some("perhaps app"));
}

#[test]
fn arguments_come_first_and_a_dash_is_standard_input_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stale");
    std::fs::write(&file, "ecr:ff:1\necr:aa:1\n").unwrap();
    let read = |arguments: &[&str], files: &[PathBuf]| {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let found = read_from(&arguments, files, Empty::Refused, "ecr:ss:1\ncvm:img-00000001\n".as_bytes());
        found.map(|found| found.references.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(
        read(&["ecr:aa:1", "-", "ecr:bb:1", "-"], std::slice::from_ref(&file)).unwrap(),
        ["ecr:aa:1", "ecr:ss:1", "cvm:img-00000001", "ecr:bb:1", "ecr:ff:1"]
    );
    assert_eq!(read(&[], &["-".into()]).unwrap(), ["ecr:ss:1", "cvm:img-00000001"]);
    assert!(read(&[], &[]).unwrap().is_empty());
    let missing = read(&[], &[folder.path().join("none")]).unwrap_err();
    assert_eq!(missing.kind, Kind::Usage);
    assert!(missing.message.starts_with("cannot read /"), "{missing}");
    let no_file = read(&[], &[folder.path().into()]).unwrap_err();
    assert!(no_file.message.starts_with("cannot read "), "{no_file}");
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let endless = io::repeat(b'x').take(1 << 30);
    let error = List::new(Empty::Allowed).source("list", endless).unwrap_err();
    assert_eq!(error.message, "list, line 1: the line is too long for a reference");
    let comment = b"#".chain(io::repeat(b'x').take(1 << 22)).chain(&b"\necr:aa:1"[..]);
    let mut list = List::new(Empty::Allowed);
    list.source("list", comment).unwrap();
    assert_eq!(list.references.len(), 1);
}

/// Gives a few bytes at a time, as a pipe may.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(3);
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_printed_is_read_back_in_its_order(images in vec(arbitrary::image(), 0..6), shape in 0..5) {
        let lines: Vec<_> = images.iter().map(ToString::to_string).collect();
        let items: Vec<_> = lines.iter().map(|line| serde_json::json!({ "ref": line, "tags": ["x"] })).collect();
        let text = match shape {
            0 => lines.join("\n"),
            1 => serde_json::json!({ "schema": "imgctl/v1", "items": items, "summary": {} }).to_string(),
            2 => serde_json::to_string_pretty(&items).unwrap(),
            3 => items.iter().map(|item| format!("{item}\n")).collect(),
            _ => lines.iter().map(|line| format!("\"{line}\"\r\n")).collect(),
        };
        let mut expected: Vec<ImageRef> = Vec::new();
        for image in images {
            if !expected.contains(&image) {
                expected.push(image);
            }
        }
        let mut list = List::new(Empty::Allowed);
        list.source("list", Dripping(text.as_bytes())).unwrap();
        prop_assert_eq!(list.references.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_bytes_make_it_stumble(bytes in vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'"'), Just(b'{')], 0..200)) {
        let _ = list(&bytes);
    }
}
