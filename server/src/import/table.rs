//! A CSV file as rows of good values and faults with their lines. It knows no domain.

use anyhow::{Context as _, bail, ensure};
use csv::{ByteRecord, ReaderBuilder};
use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    path::Path,
};

/// The largest file that is taken; it and its rows are held in memory.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A row that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) file: String,
    pub(super) line: u64,
    /// To be read after the line.
    pub(super) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}: {}", self.file, self.line, self.reason)
    }
}

/// A good row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row<T> {
    pub(super) line: u64,
    /// What it belongs to: unique in its file, unless the file names its rows otherwise.
    pub(super) number: u64,
    pub(super) value: T,
}

/// Everything that a file holds.
#[derive(Clone, Debug)]
pub(super) struct Table<T> {
    pub(super) file: String,
    pub(super) rows: Vec<Row<T>>,
    pub(super) faults: Vec<Fault>,
    /// The numbers of rows that were skipped, as far as they could be read and no good row has them.
    pub(super) skipped_numbers: HashSet<u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { file: String::new(), rows: Vec::new(), faults: Vec::new(), skipped_numbers: HashSet::new() }
    }
}

impl<T> Table<T> {
    /// The fault of one of this table's rows.
    pub(super) fn fault(&self, line: u64, reason: impl Into<String>) -> Fault {
        Fault { file: self.file.clone(), line, reason: reason.into() }
    }

    /// Reads a file. The first column names the row; `parse` gets the others, and says everything that is wrong with them.
    pub(super) fn read<const N: usize>(
        path: &Path,
        columns: [&'static str; N],
        parse: impl Fn(&Cells<'_, N>) -> Result<T, Vec<String>>,
    ) -> anyhow::Result<Self> {
        Self::read_named(path, columns, |cells| cells.number(0).map(|number| format!("{} {number}", columns[0])), parse)
    }

    /// As [`Table::read`], with rows that `name` names. No two rows of a file have one name.
    pub(super) fn read_named<const N: usize>(
        path: &Path,
        columns: [&'static str; N],
        name: impl Fn(&Cells<'_, N>) -> Result<String, String>,
        parse: impl Fn(&Cells<'_, N>) -> Result<T, Vec<String>>,
    ) -> anyhow::Result<Self> {
        let file = path.display().to_string();
        let bytes = read_file(path).with_context(|| format!("cannot read {file}"))?;
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(&*bytes);
        let header = reader.byte_headers().with_context(|| format!("cannot read {file}"))?.clone();
        let places = places(&header, columns).with_context(|| format!("{file} cannot be imported"))?;
        let mut table = Self { file, ..Self::default() };
        let mut lines: BTreeMap<String, u64> = BTreeMap::new();
        let (mut record, mut ruler) = (ByteRecord::new(), Ruler { bytes: &bytes, at: 0, line: 1 });
        while reader.read_byte_record(&mut record).with_context(|| format!("cannot read {}", table.file))? {
            let line = ruler.line_of(&record);
            let cells = Cells { header: &header, record: &record, columns, places };
            let number = cells.number(0);
            let read = cells.shape().and_then(|()| match (&number, parse(&cells)) {
                (Ok(number), Ok(value)) => Ok(Row { line, number: *number, value }),
                (Ok(_), Err(reasons)) => Err(reasons),
                (Err(reason), parsed) => Err([vec![reason.clone()], parsed.err().unwrap_or_default()].concat()),
            });
            let read = read.and_then(|row| {
                let name = name(&cells).map_err(|reason| vec![reason])?;
                match lines.get(&name) {
                    Some(first) => Err(vec![format!("{name} is on line {first} already")]),
                    None => Ok((name, row)),
                }
            });
            match read {
                Ok((name, row)) => {
                    lines.insert(name, line);
                    table.rows.push(row);
                }
                Err(reasons) => {
                    table.faults.push(table.fault(line, reasons.join("; ")));
                    table.skipped_numbers.extend(number.ok());
                }
            }
        }
        let taken: HashSet<u64> = table.rows.iter().map(|row| row.number).collect();
        table.skipped_numbers.retain(|number| !taken.contains(number));
        Ok(table)
    }
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    ensure!(size <= FILE_BYTES_MAX, "it has more than {FILE_BYTES_MAX} bytes; split it");
    Ok(std::fs::read(path)?)
}

/// Tells on which line of the file a record begins. The reader's own count is one behind after `\r\n` and empty lines.
struct Ruler<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Ruler<'_> {
    /// The line of a record after those that were asked for before.
    fn line_of(&mut self, record: &ByteRecord) -> u64 {
        let from = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        let ends = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let empty = self.bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| ends(byte)).count());
        while self.at < from + empty {
            let pair = self.bytes[self.at..].starts_with(b"\r\n");
            self.line += u64::from(!pair && ends(&self.bytes[self.at]));
            self.at += 1;
        }
        self.line
    }
}

/// Where each column is.
fn places<const N: usize>(header: &ByteRecord, columns: [&'static str; N]) -> anyhow::Result<[usize; N]> {
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_lowercase())
        .collect();
    let missing: Vec<_> = columns.into_iter().filter(|column| !names.iter().any(|name| name == column)).collect();
    if !missing.is_empty() {
        bail!("its first line does not name the columns {}", missing.join(", "));
    }
    Ok(columns.map(|column| names.iter().position(|name| name == column).unwrap_or_default()))
}

/// The wanted cells of one row.
pub(super) struct Cells<'a, const N: usize> {
    header: &'a ByteRecord,
    record: &'a ByteRecord,
    columns: [&'static str; N],
    places: [usize; N],
}

impl<const N: usize> Cells<'_, N> {
    /// A row of another length is not the row that it seems to be.
    fn shape(&self) -> Result<(), Vec<String>> {
        let (found, expected) = (self.record.len(), self.header.len());
        if found == expected {
            Ok(())
        } else {
            Err(vec![format!("has {found} fields where the first line has {expected}")])
        }
    }

    /// The text of a wanted column.
    pub(super) fn text(&self, column: usize) -> Result<&str, String> {
        let cell = self.record.get(self.places[column]).unwrap_or_default();
        let text = std::str::from_utf8(cell).map_err(|_| format!("{} is not UTF-8", self.columns[column]))?;
        Ok(text.trim())
    }

    /// The value of a wanted column. `parse` says what is wrong, to be read after the column's name.
    pub(super) fn value<V, E: fmt::Display>(
        &self,
        column: usize,
        parse: impl FnOnce(&str) -> Result<V, E>,
    ) -> Result<V, String> {
        parse(self.text(column)?).map_err(|reason| format!("{} {reason}", self.columns[column]))
    }

    /// A number that names something.
    pub(super) fn number(&self, column: usize) -> Result<u64, String> {
        self.value(column, |text| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or("must be a whole number")
        })
    }
}
