//! Reads what PostgreSQL's `pgoutput` plugin writes about inserts. Pure.
//!
//! Source: PostgreSQL documentation, "Logical Replication Message Formats", protocol version 1.

use super::LoggedRow;
use std::{collections::HashMap, sync::Arc};

/// A message that does not read as the documentation says.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the log holds a message that does not read")]
pub(crate) struct Malformed;

/// The columns of every table that the log has told of.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    relations: HashMap<u32, Relation>,
}

#[derive(Debug)]
struct Relation {
    schema: String,
    table: String,
    columns: Arc<[String]>,
}

impl Decoder {
    /// The row that a message says was inserted into the table; `None` for any other message.
    pub(crate) fn inserted(
        &mut self,
        schema: &str,
        table: &str,
        message: &[u8],
    ) -> Result<Option<LoggedRow>, Malformed> {
        let mut bytes = Bytes(message);
        match bytes.u8()? {
            b'R' => {
                let id = bytes.u32()?;
                let (schema, table) = (bytes.text()?, bytes.text()?);
                bytes.u8()?;
                let columns = (0..bytes.u16()?).map(|_| bytes.column()).collect::<Result<_, _>>()?;
                self.relations.insert(id, Relation { schema, table, columns });
                Ok(None)
            }
            b'I' => {
                let relation = self.relations.get(&bytes.u32()?).ok_or(Malformed)?;
                if (relation.schema.as_str(), relation.table.as_str()) != (schema, table) {
                    return Ok(None);
                }
                if bytes.u8()? != b'N' {
                    return Err(Malformed);
                }
                let values = (0..bytes.u16()?).map(|_| bytes.value()).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(LoggedRow { columns: Arc::clone(&relation.columns), values }))
            }
            _ => Ok(None),
        }
    }
}

/// What is left of a message.
struct Bytes<'m>(&'m [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    /// A text that ends with a zero byte.
    fn text(&mut self) -> Result<String, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).ok_or(Malformed)?;
        String::from_utf8(text.to_vec()).map_err(|_| Malformed)
    }

    fn column(&mut self) -> Result<String, Malformed> {
        self.u8()?;
        let name = self.text()?;
        self.u32()?;
        self.u32()?;
        Ok(name)
    }

    /// A value in its text form, or null.
    fn value(&mut self) -> Result<Option<String>, Malformed> {
        match self.u8()? {
            b'n' => Ok(None),
            b't' => {
                let length = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
                let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
                self.0 = rest;
                String::from_utf8(text.to_vec()).map(Some).map_err(|_| Malformed)
            }
            // An insert has neither unchanged nor binary values unless they were asked for.
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn relation() -> Vec<u8> {
        let mut message = b"R\0\0\0\x07parcel\0outbox\0d\0\x02".to_vec();
        for column in ["seq", "payload"] {
            message.push(0);
            message.extend(column.as_bytes());
            message.extend([0; 9]);
        }
        message
    }

    fn insert() -> Vec<u8> {
        b"I\0\0\0\x07N\0\x02t\0\0\0\x0242n".to_vec()
    }

    #[test]
    fn an_insert_reads_by_the_names_of_its_relation() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.inserted("parcel", "outbox", &relation()), Ok(None));
        let row = decoder.inserted("parcel", "outbox", &insert()).expect("it reads").expect("it is an insert");
        assert_eq!(row.get("seq"), Some(Some("42")));
        assert_eq!(row.get("payload"), Some(None));
        assert_eq!(row.get("other"), None);
        assert_eq!(decoder.inserted("parcel", "other", &insert()), Ok(None));
    }

    #[test]
    fn an_insert_into_a_table_that_was_not_told_of_is_malformed() {
        assert_eq!(Decoder::default().inserted("parcel", "outbox", &insert()), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(message in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..40) {
            let mut decoder = Decoder::default();
            let whole = relation();
            let _ = decoder.inserted("parcel", "outbox", &whole[..cut.min(whole.len())]);
            let _ = decoder.inserted("parcel", "outbox", &whole);
            let whole = insert();
            let _ = decoder.inserted("parcel", "outbox", &whole[..cut.min(whole.len())]);
            let _ = decoder.inserted("parcel", "outbox", &message);
        }
    }
}
