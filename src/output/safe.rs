//! Makes text from a server safe for a terminal: it must not move the cursor, change colors or turn the reading
//! direction. JSON needs no change, because its escapes are safe.

use std::borrow::Cow;

/// Makes every control and direction-changing character visible.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(dangerous) {
        return Cow::Borrowed(text);
    }
    let visible = |character: char| {
        if dangerous(character) { character.escape_unicode().to_string() } else { character.to_string() }
    };
    Cow::Owned(text.chars().map(visible).collect())
}

fn dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_the_text_reaches_a_terminal() {
        assert_eq!(safe("plain – text ü 镜像"), "plain – text ü 镜像");
        assert_eq!(safe("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(safe("a\nb\r\u{9b}m"), "a\\u{a}b\\u{d}\\u{9b}m");
        assert_eq!(safe("exe\u{202e}gpj"), "exe\\u{202e}gpj");
    }
}
