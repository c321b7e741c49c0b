//! Credentials files in INI form, as the providers' SDKs read them. Errors do not repeat what a file contains.

use std::collections::HashMap;

/// The values of a section. Names are in lower case.
pub type Section = HashMap<String, String>;

/// The sections of a text, or what is wrong with it.
pub fn sections(text: &str) -> Result<HashMap<String, Section>, String> {
    let mut sections = HashMap::<String, Section>::new();
    let mut current = None;
    // Windows editors write a byte order mark.
    for (line, number) in text.trim_start_matches('\u{feff}').lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = Some(sections.entry(name.trim().to_owned()).or_default());
            continue;
        }
        let (Some(section), Some((name, value))) = (current.as_deref_mut(), line.split_once(['=', ':'])) else {
            return Err(format!("has a line {number} that is neither [section] nor name = value"));
        };
        section.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_and_broken_lines_named_without_their_text() {
        let read = sections("\u{feff}; mine\r\n[a]\n\n[ b ]\n# keys\nSecret_Id = I\nkey: K=1\n[a]\nx=\n").unwrap();
        assert_eq!((read["b"]["secret_id"].as_str(), read["b"]["key"].as_str()), ("I", "K=1"));
        assert_eq!(read["a"]["x"], "");
        for (text, line) in [("hunter2", 1), ("hunter2 = 1", 1), ("[a]\n\nhunter2", 3), ("[hunter2", 1)] {
            let why = sections(text).unwrap_err();
            assert!(why.contains(&format!("line {line} ")) && !why.contains("hunter2"), "{why}");
        }
    }
}
