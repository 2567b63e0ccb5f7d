//! The few places where one SQL text must read differently per engine: lists, and SQLite's way of storing a table.

use std::{borrow::Cow, cell::RefCell, collections::HashMap, rc::Rc};

/// Which engine a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The type of a list's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Bigint,
    Text,
    Uuid,
}

/// A text as an engine reads it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) text: Cow<'static, str>,
    /// What each placeholder takes: for PostgreSQL from `$1` on, for SQLite in the order in which their names first occur.
    pub(crate) takes: Vec<Take>,
}

/// The most rows of a list that SQLite is given value by value. Each number of rows makes a text of its own, which is prepared
/// once; a longer list is read from JSON, whose writing and reading would cost more than all else for a short one.
pub(crate) const FEW_ROWS: usize = 8;

/// How many rows each short list of a statement has, four bits each, the first list lowest; 0 stands for a long one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FewRows(u64);

impl FewRows {
    /// The short lists among these lengths, one for each placeholder.
    pub(crate) fn of(lengths: impl Iterator<Item = Option<usize>>) -> Self {
        let packed = lengths.take(Self::PLACES).enumerate().fold(0, |packed, (place, length)| {
            let few = length.filter(|length| *length <= FEW_ROWS).unwrap_or(0) as u64;
            packed | few << (4 * place)
        });
        Self(packed)
    }

    /// So many placeholders are looked at.
    const PLACES: usize = 16;

    /// The rows of the list at this placeholder, from 1; `None` when it is long, or empty.
    const fn at(self, number: usize) -> Option<usize> {
        if number == 0 || number > Self::PLACES {
            return None;
        }
        match (self.0 >> (4 * (number - 1))) & 15 {
            0 => None,
            rows => Some(rows as usize),
        }
    }
}

/// What a placeholder takes: a bound value by its place in the statement, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Value(usize),
    /// A whole list, of so many columns.
    List(usize, usize),
    /// One column of a list, as an array.
    Column(usize, usize, ColumnType),
    /// One value of a list: its row and column.
    Cell(usize, usize, usize),
}

/// Where a constant text lies, how long it is, which engine it is for, and how long its short lists are.
type TextKey = (*const u8, usize, Dialect, FewRows);

thread_local! {
    static KNOWN: RefCell<HashMap<TextKey, Rc<Translated>>> = RefCell::default();
}

/// The text for an engine. Each thread translates a text once.
pub(crate) fn translated(text: &'static str, dialect: Dialect, few: FewRows) -> Rc<Translated> {
    // Constant texts live for ever, so address and length name the text.
    let key = (text.as_ptr(), text.len(), dialect, few);
    KNOWN.with_borrow_mut(|known| Rc::clone(known.entry(key).or_insert_with(|| Rc::new(translate(text, dialect, few)))))
}

/// A list in a text: `rows($1: id uuid, amount bigint) as new`.
struct List<'t> {
    number: usize,
    columns: Vec<(&'t str, ColumnType)>,
    alias: &'t str,
    end: usize,
}

fn translate(text: &'static str, dialect: Dialect, few: FewRows) -> Translated {
    let mut takes: Vec<Take> = (0..highest_placeholder(text)).map(Take::Value).collect();
    let text = if text.contains("rows($") {
        Cow::Owned(with_lists(text, dialect, few, &mut takes))
    } else {
        Cow::Borrowed(text)
    };
    match dialect {
        Dialect::Sqlite => Translated { takes: in_order_of_names(&text, &takes), text },
        Dialect::Postgres => Translated { text, takes },
    }
}

fn with_lists(text: &str, dialect: Dialect, few: FewRows, takes: &mut Vec<Take>) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len() * 2), text);
    while let Some(start) = rest.find("rows($") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        // A text that does not read is left as it is: the engine refuses it, and every statement has a test.
        let Some(list) = parse_list(from) else {
            out.push_str(from);
            return out;
        };
        match (dialect, few.at(list.number)) {
            (Dialect::Sqlite, Some(rows)) => write_values(&mut out, &list, rows),
            (Dialect::Sqlite, None) => write_json_each(&mut out, &list, takes),
            (Dialect::Postgres, _) => write_unnest(&mut out, &list, takes),
        }
        rest = from.get(list.end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// What SQLite's placeholders take. To SQLite `$2` is a name, whose place is that of its first use in the text; a value of a list
/// is named after its list, row and column.
fn in_order_of_names(text: &str, takes: &[Take]) -> Vec<Take> {
    let mut names: Vec<&str> = Vec::new();
    for after in text.split('$').skip(1) {
        let name = after.split(|c: char| !c.is_ascii_digit() && c != '_').next().unwrap_or_default();
        if name.starts_with(|c: char| c.is_ascii_digit()) && !names.contains(&name) {
            names.push(name);
        }
    }
    let take = |name: &str| {
        let mut numbers = name.split('_').map(str::parse::<usize>);
        match (numbers.next()?.ok()?.checked_sub(1)?, numbers.next(), numbers.next()) {
            (list, Some(Ok(row)), Some(Ok(column))) => Some(Take::Cell(list, row, column)),
            (place, None, None) => takes.get(place).copied(),
            _ => None,
        }
    };
    names.into_iter().filter_map(take).collect()
}

fn write_values(out: &mut String, list: &List<'_>, rows: usize) {
    out.push('(');
    for row in 0..rows {
        out.push_str(if row == 0 { "select " } else { " union all select " });
        for (place, (name, _)) in list.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            out.push_str(&format!("{comma}${}_{row}_{place}", list.number));
            if row == 0 {
                out.push_str(&format!(" as {name}"));
            }
        }
    }
    out.push_str(&format!(") as {}", list.alias));
}

fn write_json_each(out: &mut String, list: &List<'_>, takes: &mut [Take]) {
    let columns = list.columns.iter().enumerate().map(|(place, (name, kind))| match kind {
        ColumnType::Uuid => format!("unhex(value->>{place}) as {name}"),
        ColumnType::Bigint | ColumnType::Text => format!("value->>{place} as {name}"),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    out.push_str(&format!("(select {columns} from json_each(${})) as {}", list.number, list.alias));
    if let Some(take) = takes.get_mut(list.number - 1) {
        *take = Take::List(list.number - 1, list.columns.len());
    }
}

fn write_unnest(out: &mut String, list: &List<'_>, takes: &mut Vec<Take>) {
    let (mut arrays, mut names) = (Vec::new(), Vec::new());
    for (place, (name, kind)) in list.columns.iter().enumerate() {
        let take = Take::Column(list.number - 1, place, *kind);
        // The first column keeps the list's placeholder, the others get new ones behind all that there are.
        let number = if place == 0 { list.number } else { takes.len() + 1 };
        match takes.get_mut(number - 1) {
            Some(kept) => *kept = take,
            None => takes.push(take),
        }
        let kind = match kind {
            ColumnType::Bigint => "bigint",
            ColumnType::Text => "text",
            ColumnType::Uuid => "uuid",
        };
        arrays.push(format!("${number}::{kind}[]"));
        names.push(*name);
    }
    out.push_str(&format!("unnest({}) as {}({})", arrays.join(", "), list.alias, names.join(", ")));
}

/// Reads the list at the beginning of a text.
fn parse_list(text: &str) -> Option<List<'_>> {
    let inside = text.strip_prefix("rows($")?;
    let (inside, after) = inside.split_once(')')?;
    let (number, columns) = inside.split_once(':')?;
    let columns = columns.split(',').map(|column| {
        let (name, kind) = column.trim().split_once(' ')?;
        let kind = match kind.trim() {
            "bigint" => ColumnType::Bigint,
            "text" => ColumnType::Text,
            "uuid" => ColumnType::Uuid,
            _ => return None,
        };
        Some((name, kind))
    });
    let columns: Vec<_> = columns.collect::<Option<_>>()?;
    let after = after.strip_prefix(" as ")?;
    let alias = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|alias| !alias.is_empty())?;
    let number: usize = number.trim().parse().ok()?;
    let end = "rows($".len() + inside.len() + ")".len() + " as ".len() + alias.len();
    (number > 0).then_some(List { number, columns, alias, end })
}

fn highest_placeholder(text: &str) -> usize {
    let numbers = text.split('$').skip(1).filter_map(|after| {
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<usize>().ok()
    });
    numbers.max().unwrap_or(0)
}

/// What PostgreSQL learns from SQLite, in each schema, so that one text serves both.
pub(crate) const POSTGRES_PRELUDE: &str = "
create or replace function instr(text, text) returns integer language sql immutable parallel safe
    as 'select strpos($1, $2)';
create or replace function hex(uuid) returns text language sql immutable parallel safe
    as $$ select upper(replace($1::text, '-', '')) $$;
";

/// How a schema text begins that is about SQLite's way of storing a table, and nothing to PostgreSQL.
const ONLY_SQLITE: &str = "-- only sqlite";

/// A schema for PostgreSQL: what only SQLite understands is left out.
pub(crate) fn postgres_schema(text: &str) -> String {
    if text.trim_start().starts_with(ONLY_SQLITE) { String::new() } else { text.replace(") without rowid", ")") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "insert into parcel (id, weight, owner, at) select new.id, new.weight, $2, $3 \
        from rows($1: id uuid, weight bigint) as new where true";

    #[test]
    fn a_list_is_json_for_sqlite() {
        let translated = translate(TEXT, Dialect::Sqlite, FewRows::default());
        assert!(
            translated.text.ends_with(
                "from (select unhex(value->>0) as id, value->>1 as weight from json_each($1)) as new where true"
            ),
            "{}",
            translated.text
        );
        assert_eq!(translated.takes, [Take::Value(1), Take::Value(2), Take::List(0, 2)]);
    }

    #[test]
    fn a_short_list_is_values_for_sqlite() {
        let few = FewRows::of([Some(2), None, None].into_iter());
        let translated = translate(TEXT, Dialect::Sqlite, few);
        assert!(
            translated.text.ends_with(
                "from (select $1_0_0 as id, $1_0_1 as weight union all select $1_1_0, $1_1_1) as new where true"
            ),
            "{}",
            translated.text
        );
        let cells = [Take::Cell(0, 0, 0), Take::Cell(0, 0, 1), Take::Cell(0, 1, 0), Take::Cell(0, 1, 1)];
        assert_eq!(translated.takes, [&[Take::Value(1), Take::Value(2)][..], &cells].concat());
    }

    #[test]
    fn only_short_lists_are_counted() {
        let few = FewRows::of([Some(0), Some(FEW_ROWS), None, Some(FEW_ROWS + 1), Some(3)].into_iter());
        assert_eq!([1, 2, 3, 4, 5, 6].map(|number| few.at(number)), [None, Some(FEW_ROWS), None, None, Some(3), None]);
    }

    #[test]
    fn a_list_is_arrays_for_postgres() {
        let translated = translate(TEXT, Dialect::Postgres, FewRows::default());
        assert!(
            translated.text.ends_with("from unnest($1::uuid[], $4::bigint[]) as new(id, weight) where true"),
            "{}",
            translated.text
        );
        assert_eq!(
            translated.takes,
            [
                Take::Column(0, 0, ColumnType::Uuid),
                Take::Value(1),
                Take::Value(2),
                Take::Column(0, 1, ColumnType::Bigint)
            ]
        );
    }

    #[test]
    fn a_text_without_lists_stays_as_it_is() {
        let translated = translate("select $2, $1", Dialect::Postgres, FewRows::default());
        assert_eq!(translated.text, "select $2, $1");
        assert_eq!(translated.takes, [Take::Value(0), Take::Value(1)]);
    }
}
