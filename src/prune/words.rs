//! Splits any text into words that may be references, byte by byte: nested JSON, tables, UTF-16, endless lines.

/// Longer words are not references: a repository has at most 256 characters, a tag 128.
const LONGEST: usize = 2048;

/// Splits bytes into words of the characters that references consist of.
#[derive(Default)]
pub struct Words {
    word: String,
    too_long: bool,
    line: usize,
    escape: Escape,
    variable: Variable,
    beginning: Beginning,
}

/// The position within a JSON escape. In JSON within JSON, `\n` must not become part of the next word.
#[derive(Clone, Copy, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    Unicode(u32, u32),
}

/// The position within the name of a variable: the default of `${TAG:-v1}` or `${TAG-v1}` is a word of its own.
#[derive(Clone, Copy, Default, PartialEq)]
enum Variable {
    #[default]
    None,
    Dollar,
    Name,
}

/// What the first two bytes tell about NUL bytes: in UTF-16, which PowerShell writes, every second byte of ASCII is one;
/// elsewhere they separate words.
#[derive(Clone, Copy, Default)]
enum Beginning {
    #[default]
    Nothing,
    One(u8),
    Wide,
    Narrow,
}

impl Words {
    /// Takes the next byte, and calls `found` with a word that it ends and its line.
    pub fn byte(&mut self, byte: u8, mut found: impl FnMut(&str, usize)) {
        self.beginning = match self.beginning {
            Beginning::Nothing if byte == 0 => Beginning::Wide,
            Beginning::Nothing => Beginning::One(byte),
            Beginning::One(0xff | 0xfe) if byte >= 0xfe => Beginning::Wide,
            Beginning::One(_) if byte == 0 => Beginning::Wide,
            Beginning::One(_) => Beginning::Narrow,
            known => known,
        };
        let mut byte = byte;
        match (self.escape, byte) {
            (_, 0) if matches!(self.beginning, Beginning::Wide) => return,
            (Escape::Unicode(digits, value), _) if byte.is_ascii_hexdigit() => {
                let value = value << 4 | char::from(byte).to_digit(16).unwrap_or_default();
                self.escape = Escape::Unicode(digits + 1, value);
                if digits + 1 < 4 {
                    return;
                }
                byte = u8::try_from(value).unwrap_or(b' ');
            }
            (_, b'\\') => {
                self.escape = Escape::Begun;
                return;
            }
            (Escape::Begun, b'u') => {
                self.escape = Escape::Unicode(0, 0);
                return;
            }
            (Escape::Begun, b'/') | (Escape::None, _) => {}
            (Escape::Begun, b'n' | b'r' | b't' | b'b' | b'f') => byte = b' ',
            (Escape::Begun | Escape::Unicode(..), _) => self.end(&mut found),
        }
        self.escape = Escape::None;
        self.variable = match (self.variable, byte) {
            (_, b'$') => Variable::Dollar,
            (Variable::Dollar, b'{') => Variable::Name,
            (Variable::Name, b'_') => Variable::Name,
            (Variable::Name, _) if byte.is_ascii_alphanumeric() => Variable::Name,
            (Variable::Name, b':' | b'-') => {
                byte = b' ';
                Variable::None
            }
            _ => Variable::None,
        };
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@') {
            self.too_long |= self.word.len() >= LONGEST;
            if !self.too_long {
                self.word.push(char::from(byte));
            }
            return;
        }
        self.end(&mut found);
        self.line += usize::from(byte == b'\n');
    }

    fn end(&mut self, found: &mut impl FnMut(&str, usize)) {
        if !self.too_long && !self.word.is_empty() {
            found(&self.word, self.line + 1);
        }
        self.word.clear();
        self.too_long = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> Vec<String> {
        let (mut words, mut found) = (Words::default(), Vec::new());
        for byte in text.iter().chain(b"\n") {
            words.byte(*byte, |word, line| found.push(format!("{line} {word}")));
        }
        found
    }

    #[test]
    fn quotes_brackets_and_escapes_end_words() {
        for (text, found) in [
            ("a:b, (c/d)\n[e@f]", vec!["1 a:b", "1 c/d", "2 e@f"]),
            (r#"{"a":"b\/c"}"#, vec!["1 a", "1 :", "1 b/c"]),
            (r#""x\ny\\nz""#, vec!["1 x", "1 y", "1 z"]),
            (r"a\u002fb\u0020c\u00", vec!["1 a/b", "1 c"]),
            (r"a\qb", vec!["1 a", "1 qb"]),
            ("\r\n\r\nä-b", vec!["3 -b"]),
            ("a:b\0c:d\0", vec!["1 a:b", "1 c:d"]),
            ("${TAG:-v1.2} ${TAG-v3}", vec!["1 TAG", "1 -v1.2", "1 TAG", "1 v3"]),
            ("${A}/b:${IMAGE:=c/d:e}-${f.g-h}", vec!["1 A", "1 /b:", "1 IMAGE", "1 c/d:e", "1 -", "1 f.g-h"]),
        ] {
            assert_eq!(words(text.as_bytes()), found, "{text}");
        }
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let mut words = Words::default();
        for _ in 0..1_000_000 {
            words.byte(b'a', |_, _| panic!("the word has not ended"));
        }
        assert!(words.word.capacity() <= 2 * LONGEST);
    }
}
