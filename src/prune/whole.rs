//! Tells whether a text that opens as JSON also ends as JSON: a list that was cut off would name too few images.

/// Follows a text byte by byte. Anything but an object, or a list of objects or strings, does not count as JSON.
#[derive(Default)]
pub struct Whole {
    opening: Opening,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Opening {
    #[default]
    Nothing,
    Bracket(u8),
    Json,
    Other,
}

impl Whole {
    pub fn byte(&mut self, byte: u8) {
        // UTF-16 and byte order marks.
        if byte == 0 || byte.is_ascii_whitespace() || self.opening != Opening::Json && !byte.is_ascii() {
            return;
        }
        match self.opening {
            Opening::Other => return,
            Opening::Json => {}
            Opening::Nothing if matches!(byte, b'{' | b'[') => self.opening = Opening::Bracket(byte),
            Opening::Bracket(b'{') if matches!(byte, b'"' | b'}') => self.opening = Opening::Json,
            // `[[` opens a table of TOML.
            Opening::Bracket(b'[') if matches!(byte, b'"' | b'{' | b']') => self.opening = Opening::Json,
            _ => self.opening = Opening::Other,
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// The text opened as JSON and ended too early.
    pub fn is_cut(&self) -> bool {
        self.opening != Opening::Other && (self.depth > 0 || self.in_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_opens_as_json_must_end_as_json() {
        for (text, cut) in [
            ("", false),
            ("{}", false),
            ("{\"a\": [\"}\", \"\\\"{\"]}", false),
            ("{\"a\": 1}\n{\"b\": 2}\n", false),
            ("\u{feff} [\"a\"]", false),
            ("{{ .Values.image }} {", false),
            ("[section]\nkey = \"{\"", false),
            ("[[table]]\nkey = \"{\"", false),
            ("{", true),
            ("{\"a\": [{\"b\": 1}", true),
            ("{\"a\": \"b", true),
            ("[\"a\", \"b\"", true),
            ("{\"a\": 1}\n{\"b\": ", true),
        ] {
            let mut whole = Whole::default();
            text.bytes().for_each(|byte| whole.byte(byte));
            assert_eq!(whole.is_cut(), cut, "{text}");
        }
    }
}
