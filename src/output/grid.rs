//! The layout of a table: columns without borders, each as wide as its widest cell. Pure.

use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING,
};

/// Spaces between two columns.
const GAP: u16 = 2;

/// Columns with numbers.
const RIGHT: [&str; 1] = ["SIZE"];

pub struct Grid<'g> {
    pub titles: &'g [&'g str],
    /// Whether the titles are shown.
    pub head: bool,
    pub color: bool,
    /// The least width of each column; afterwards, the width that it has.
    pub widths: &'g mut [u16],
}

impl Grid<'_> {
    /// The head, if it is shown, and a line for each row.
    pub fn lines(self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Vec<String> {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if self.head {
            table.set_header(self.titles.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
        }
        for row in rows {
            table.add_row(row.into_iter().zip(self.titles).map(|(cell, title)| match RIGHT.contains(title) {
                true => cell.set_alignment(CellAlignment::Right),
                false => cell,
            }));
        }
        let content = table.column_max_content_widths();
        for ((column, width), content) in table.column_iter_mut().zip(self.widths).zip(content) {
            *width = (*width).max(content);
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(*width + GAP)));
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}
