//! What the rows of the files mean: the commands to be sent, in the contract's own types.

use super::{
    ids,
    table::{Cells, Fault, Row, Table},
};
use std::{collections::HashSet, path::Path};
use tramline_contract::{
    Coordination, CreateCustomer, CreateOrder, CustomerName, Money, PaymentReference, RecordPayment,
};

/// A day as year, month and day: their order is the days' order.
pub(super) type Day = (u16, u8, u8);

/// A row of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderRow {
    pub(super) day: Day,
    pub(super) customer_number: u64,
    pub(super) command: CreateOrder,
}

/// A row of the payments; its number is the customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PaymentRow {
    pub(super) day: Day,
    pub(super) command: RecordPayment,
}

/// Something that is done on a day by a customer.
pub(super) trait Dated {
    fn customer_number(row: &Row<Self>) -> u64
    where
        Self: Sized;
}

impl Dated for OrderRow {
    fn customer_number(row: &Row<Self>) -> u64 {
        row.value.customer_number
    }
}

impl Dated for PaymentRow {
    fn customer_number(row: &Row<Self>) -> u64 {
        row.number
    }
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

/// Reads the orders, to be led so, and puts them in the order of their days; within a day they stay as in the file.
pub(super) fn read_orders(path: &Path, coordination: Coordination) -> anyhow::Result<Table<OrderRow>> {
    let columns = ["order_number", "order_date", "customer_number", "total"];
    let mut table = Table::read(path, columns, |cells: &Cells<'_, 4>| {
        let number = cells.number(0);
        let day = cells.value(1, parse_day);
        let customer_number = cells.number(2);
        let total = cells.value(3, parse_amount);
        match (number, day, customer_number, total) {
            (Ok(number), Ok(day), Ok(customer_number), Ok(total)) => {
                let (id, customer_id) = (Some(ids::order(number)), ids::customer(customer_number));
                let command = CreateOrder { id, customer_id, total, coordination };
                Ok(OrderRow { day, customer_number, command })
            }
            (_, day, customer_number, total) => Err(faults([day.err(), customer_number.err(), total.err()])),
        }
    })?;
    table.rows.sort_by_key(|row| row.value.day);
    Ok(table)
}

/// Reads the payments and puts them in the order of their days; within a day they stay as in the file.
pub(super) fn read_payments(path: &Path) -> anyhow::Result<Table<PaymentRow>> {
    let columns = ["customer_number", "check_number", "payment_date", "amount"];
    let name = |cells: &Cells<'_, 4>| Ok(format!("check {} of customer {}", cells.text(1)?, cells.number(0)?));
    let mut table = Table::read_named(path, columns, name, |cells| {
        let customer_number = cells.number(0);
        let check = cells.value(1, PaymentReference::parse);
        let day = cells.value(2, parse_day);
        let amount = cells.value(3, parse_amount);
        match (customer_number, check, day, amount) {
            (Ok(customer_number), Ok(check), Ok(day), Ok(amount)) => {
                let id = Some(ids::payment(customer_number, check.as_str()));
                Ok(PaymentRow { day, command: RecordPayment { id, amount, reference: Some(check) } })
            }
            (_, check, day, amount) => Err(faults([check.err(), day.err(), amount.err()])),
        }
    })?;
    table.rows.sort_by_key(|row| row.value.day);
    Ok(table)
}

/// Takes out what belongs to customers that were skipped. Orders sent now would be rejected for good; once the customer's row
/// is mended, the next run sends them.
pub(super) fn hold_back<T: Dated>(table: &mut Table<T>, skipped_customers: &HashSet<u64>) -> Vec<Fault> {
    let rows = std::mem::take(&mut table.rows);
    let (mut held, kept): (Vec<_>, _) =
        rows.into_iter().partition(|row| skipped_customers.contains(&T::customer_number(row)));
    table.rows = kept;
    held.sort_by_key(|row| row.line);
    held.into_iter()
        .map(|row| table.fault(row.line, format!("its customer {} was skipped", T::customer_number(&row))))
        .collect()
}

fn parse_amount(text: &str) -> Result<Money, String> {
    match Money::parse(text) {
        Ok(Money::ZERO) => Err("must be above zero".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
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
