//! Text for a terminal: tables, and nothing that could steer it.

/// A text in a table; whoever wants it whole asks for JSON, or for the one thing.
const CELL_MAX_CHARS: usize = 70;

/// Prints rows below their titles, each column as wide as its widest cell.
pub(crate) fn table(titles: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<_> = std::iter::once(titles).chain(rows).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A text that fits into a table.
pub(crate) fn cut(text: &str) -> String {
    let clean = clean(text);
    match clean.char_indices().nth(CELL_MAX_CHARS) {
        Some((end, _)) => format!("{}…", clean.get(..end).unwrap_or_default()),
        None => clean,
    }
}

/// A text without anything that could steer a terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_into_a_table_and_steers_nothing() {
        assert_eq!(clean("one\n\u{1b}[2Jtwo"), "one  [2Jtwo");
        let long = "ä".repeat(CELL_MAX_CHARS + 1);
        assert_eq!(cut(&long), format!("{}…", "ä".repeat(CELL_MAX_CHARS)));
        assert_eq!(cut(long.strip_suffix('ä').expect("it ends so")).chars().count(), CELL_MAX_CHARS);
    }
}
