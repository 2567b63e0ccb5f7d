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
    /// What each placeholder of the translated text takes, from `$1` on.
    pub(crate) takes: Vec<Take>,
}

/// What a placeholder takes: a bound value by its place in the statement, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    Value(usize),
    /// A whole list, of so many columns.
    List(usize, usize),
    /// One column of a list, as an array.
    Column(usize, usize, ColumnType),
}

/// Where a constant text lies, how long it is, and which engine it is for.
type TextKey = (*const u8, usize, Dialect);

thread_local! {
    static KNOWN: RefCell<HashMap<TextKey, Rc<Translated>>> = RefCell::default();
}

/// The text for an engine. Each thread translates a text once.
pub(crate) fn translated(text: &'static str, dialect: Dialect) -> Rc<Translated> {
    // Constant texts live for ever, so address and length name the text.
    let key = (text.as_ptr(), text.len(), dialect);
    KNOWN.with_borrow_mut(|known| Rc::clone(known.entry(key).or_insert_with(|| Rc::new(translate(text, dialect)))))
}

/// A list in a text: `rows($1: id uuid, amount bigint) as new`.
struct List<'t> {
    number: usize,
    columns: Vec<(&'t str, ColumnType)>,
    alias: &'t str,
    end: usize,
}

pub(crate) fn translate(text: &'static str, dialect: Dialect) -> Translated {
    let highest = highest_placeholder(text);
    let mut takes: Vec<Take> = (0..highest).map(Take::Value).collect();
    if !text.contains("rows($") {
        return Translated { text: Cow::Borrowed(text), takes };
    }
    let (mut out, mut rest) = (String::with_capacity(text.len() * 2), text);
    while let Some(start) = rest.find("rows($") {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        // A text that does not read is left as it is: the engine refuses it, and every statement has a test.
        let Some(list) = parse_list(from) else {
            out.push_str(from);
            return Translated { text: Cow::Owned(out), takes };
        };
        match dialect {
            Dialect::Sqlite => write_json_each(&mut out, &list, &mut takes),
            Dialect::Postgres => write_unnest(&mut out, &list, &mut takes),
        }
        rest = from.get(list.end..).unwrap_or_default();
    }
    out.push_str(rest);
    Translated { text: Cow::Owned(out), takes }
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

/// A schema for PostgreSQL: what only SQLite understands is left out.
pub(crate) fn postgres_schema(text: &str) -> String {
    text.replace(") without rowid", ")")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "insert into parcel (id, weight, owner, at) select new.id, new.weight, $2, $3 \
        from rows($1: id uuid, weight bigint) as new where true";

    #[test]
    fn a_list_is_json_for_sqlite() {
        let translated = translate(TEXT, Dialect::Sqlite);
        assert!(
            translated.text.ends_with(
                "from (select unhex(value->>0) as id, value->>1 as weight from json_each($1)) as new where true"
            ),
            "{}",
            translated.text
        );
        assert_eq!(translated.takes, [Take::List(0, 2), Take::Value(1), Take::Value(2)]);
    }

    #[test]
    fn a_list_is_arrays_for_postgres() {
        let translated = translate(TEXT, Dialect::Postgres);
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
        let translated = translate("select $2, $1", Dialect::Postgres);
        assert_eq!(translated.text, "select $2, $1");
        assert_eq!(translated.takes, [Take::Value(0), Take::Value(1)]);
    }
}
