//! Draws what a terminal shows as an SVG that is readable on light and dark pages.

/// The room of a letter and of a line.
const LETTER: f64 = 8.4;
const LINE: usize = 19;
const MARGIN: usize = 16;

/// The colors of a light page and, in another rule, of a dark one.
const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}\n\
rect{fill:#f6f8fa;stroke:#d1d9e0}\n\
.bold{font-weight:bold}.faint{fill:#59636e}.green{fill:#1a7f37}.yellow{fill:#8a5a00}.red{fill:#d1242f}\n\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}rect{fill:#0d1117;stroke:#3d444d}\n\
.faint{fill:#9198a1}.green{fill:#3fb950}.yellow{fill:#d29922}.red{fill:#f85149}}\n";

/// Lines of a terminal of so many columns, with its escapes for styles.
pub fn svg(shown: &str, columns: usize) -> String {
    let lines: Vec<Vec<(Vec<&str>, String)>> =
        shown.trim_end().lines().flat_map(|line| folded(parts(line), columns)).collect();
    let width = (columns as f64 * LETTER) as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>\n{STYLE}</style>\n<rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
        width - 1,
        height - 1
    );
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + number * LINE + 14;
        let mut column = 0;
        for (classes, part) in line {
            // Each part has its place, so that columns stay in line in any font.
            let x = MARGIN as f64 + column as f64 * LETTER;
            let length = part.chars().count();
            column += length;
            if part.trim().is_empty() {
                continue;
            }
            let class = if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) };
            let room = length as f64 * LETTER;
            let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            text += &format!(
                "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{room:.1}\"{class} xml:space=\"preserve\">{part}</text>\n"
            );
        }
    }
    text + "</svg>\n"
}

/// A line as texts with their styles.
fn parts(line: &str) -> Vec<(Vec<&'static str>, String)> {
    let mut classes = Vec::new();
    let mut parts = Vec::new();
    for (number, piece) in line.split("\u{1b}[").enumerate() {
        let text = match piece.split_once('m') {
            Some((codes, text)) if number > 0 => {
                for code in codes.split(';') {
                    match code {
                        "1" => classes.push("bold"),
                        "2" => classes.push("faint"),
                        "31" => classes.push("red"),
                        "32" => classes.push("green"),
                        "33" => classes.push("yellow"),
                        "0" | "" => classes.clear(),
                        other => panic!("an unknown style: {other}"),
                    }
                }
                text
            }
            _ => piece,
        };
        if !text.is_empty() {
            parts.push((classes.clone(), text.to_owned()));
        }
    }
    parts
}

/// Folds a line as a terminal does.
fn folded(parts: Vec<(Vec<&'static str>, String)>, columns: usize) -> Vec<Vec<(Vec<&'static str>, String)>> {
    let mut lines = vec![Vec::new()];
    let mut room = columns;
    for (classes, text) in parts {
        let mut rest: Vec<char> = text.chars().collect();
        while rest.len() > room {
            let later = rest.split_off(room);
            lines.last_mut().unwrap().push((classes.clone(), rest.into_iter().collect()));
            lines.push(Vec::new());
            (rest, room) = (later, columns);
        }
        room -= rest.len();
        lines.last_mut().unwrap().push((classes, rest.into_iter().collect()));
    }
    lines
}
