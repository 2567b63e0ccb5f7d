//! What the rows of the two files mean: the commands to be sent, in the contract's own types.

use super::{
    ids,
    table::{Cells, Fault, Table},
};
use std::{collections::HashSet, path::Path};
use tramline_contract::{Coordination, CreateCustomer, CreateOrder, CustomerName, Money};

/// A day as year, month and day: their order is the days' order.
type Day = (u16, u8, u8);

/// A row of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderRow {
    pub(super) day: Day,
    pub(super) customer_number: u64,
    pub(super) command: CreateOrder,
}

/// Reads the customers.
pub(super) fn read_customers(path: &Path) -> anyhow::Result<Table<CreateCustomer>> {
    Table::read(path, ["customer_number", "name", "credit_limit"], |cells: &Cells<'_, 3>| {
        let number = cells.number(0);
        let name = cells.value(1, CustomerName::parse);
        let credit_limit = cells.value(2, Money::parse);
        match (number, name, credit_limit) {
            (Ok(number), Ok(name), Ok(credit_limit)) => {
                Ok(CreateCustomer { id: Some(ids::customer(number)), name, credit_limit })
            }
            (_, name, credit_limit) => Err(faults([name.err(), credit_limit.err()])),
        }
    })
}

/// Reads the orders and puts them in the order of their days; within a day they stay as in the file.
pub(super) fn read_orders(path: &Path) -> anyhow::Result<Table<OrderRow>> {
    let columns = ["order_number", "order_date", "customer_number", "total"];
    let mut table = Table::read(path, columns, |cells: &Cells<'_, 4>| {
        let number = cells.number(0);
        let day = cells.value(1, parse_day);
        let customer_number = cells.number(2);
        let total = cells.value(3, |text| match Money::parse(text) {
            Ok(Money::ZERO) => Err("must be above zero".to_owned()),
            other => other.map_err(|error| error.to_string()),
        });
        match (number, day, customer_number, total) {
            (Ok(number), Ok(day), Ok(customer_number), Ok(total)) => {
                let (id, customer_id) = (Some(ids::order(number)), ids::customer(customer_number));
                let command = CreateOrder { id, customer_id, total, coordination: Coordination::Orchestration };
                Ok(OrderRow { day, customer_number, command })
            }
            (_, day, customer_number, total) => Err(faults([day.err(), customer_number.err(), total.err()])),
        }
    })?;
    table.rows.sort_by_key(|row| row.value.day);
    Ok(table)
}

/// Takes out the orders of customers that were skipped. Sent now they would be rejected for good; once the customer's row is
/// mended, the next run sends them.
pub(super) fn hold_back(orders: &mut Table<OrderRow>, skipped_customers: &HashSet<u64>) -> Vec<Fault> {
    let rows = std::mem::take(&mut orders.rows);
    let (mut held, kept): (Vec<_>, _) =
        rows.into_iter().partition(|row| skipped_customers.contains(&row.value.customer_number));
    orders.rows = kept;
    held.sort_by_key(|row| row.line);
    held.into_iter()
        .map(|row| orders.fault(row.line, format!("its customer {} was skipped", row.value.customer_number)))
        .collect()
}

fn faults<const N: usize>(found: [Option<String>; N]) -> Vec<String> {
    found.into_iter().flatten().collect()
}

/// Reads a date such as 2003-01-31.
fn parse_day(text: &str) -> Result<Day, &'static str> {
    let parse = || {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if !digits || parts.next().is_some() || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        let (year, month, day): Day = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&day).then_some((year, month, day))
    };
    parse().ok_or("must be a date such as 2003-01-31")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("it is written");
        file
    }

    /// The numbers of the good rows, and the line and reason of each bad one.
    fn outline<T>(table: &Table<T>) -> (Vec<u64>, Vec<(u64, &str)>) {
        let faults = table.faults.iter().map(|fault| (fault.line, fault.reason.as_str()));
        (table.rows.iter().map(|row| row.number).collect(), faults.collect())
    }

    #[test]
    fn each_bad_customer_is_named_by_its_line_and_the_others_are_read() {
        let file = file(
            b"city,customer_number,name,credit_limit\n\
              Nantes,103,Atelier graphique,21000.00\n\
              \n\
              Paris,x,,1.001\n\
              \"Las\nVegas\",112,\"Signal, Gifts\",0\n\
              Oslo,113,Short\n\
              Rome,103,Twice,5\n\
              Bonn,115,\xff,5\n\
              Graz,116,Minus,-1\n\
              Wien,117, Last ,12.5",
        );
        let table = read_customers(file.path()).expect("it reads");
        let (numbers, faults) = outline(&table);
        assert_eq!(numbers, [103, 112, 117]);
        assert_eq!(
            faults,
            [
                (
                    4,
                    "customer_number must be a whole number; name must not be empty; credit_limit must have at most two decimals"
                ),
                (7, "has 3 fields where the first line has 4"),
                (8, "customer_number 103 is on line 2 already"),
                (9, "name is not UTF-8"),
                (10, "credit_limit must not be negative"),
            ]
        );
        assert_eq!(table.skipped_numbers, HashSet::from([113, 115, 116]));
        assert_eq!(table.rows[2].value.name.as_str(), "Last");
    }

    #[test]
    fn orders_come_by_day_and_within_a_day_as_in_the_file() {
        let file = file(
            b"\xef\xbb\xbforder_number,order_date,customer_number,total,status\r\n\
              3,2003-01-09,1,5.00,x\r\n2,2003-01-06,1,5.00,x\r\n1,2003-01-09,1,5,x\r\n\
              4,2003-02-29,1,5,x\r\n5,2004-02-29,1,0,x\r\n6,04.05.2003,z,1,x\r\n",
        );
        let table = read_orders(file.path()).expect("it reads");
        let (numbers, faults) = outline(&table);
        assert_eq!(numbers, [2, 3, 1]);
        assert_eq!(faults[0], (5, "order_date must be a date such as 2003-01-31"));
        assert_eq!(faults[1], (6, "total must be above zero"));
        assert_eq!(faults[2].0, 7);
    }

    #[test]
    fn a_missing_column_is_one_clear_error() {
        let file = file(b"customer_number,limit\n1,2\n");
        let error = format!("{:#}", read_customers(file.path()).expect_err("it is refused"));
        assert!(error.ends_with("its first line does not name the columns name, credit_limit"), "{error}");
        let error =
            format!("{:#}", read_orders(std::path::Path::new("/nowhere/orders.csv")).expect_err("it is refused"));
        assert!(error.starts_with("cannot read /nowhere/orders.csv"), "{error}");
    }

    #[test]
    fn the_orders_of_a_skipped_customer_are_held_back() {
        let file = file(b"order_number,order_date,customer_number,total\n1,2003-01-09,7,5\n2,2003-01-09,8,5\n");
        let mut table = read_orders(file.path()).expect("it reads");
        let held = hold_back(&mut table, &HashSet::from([7]));
        assert_eq!(outline(&table).0, [2]);
        assert_eq!((held.len(), held[0].line, held[0].reason.as_str()), (1, 2, "its customer 7 was skipped"));
    }
}
