//! Files as they come, and what is read from them.

use super::{
    rows::{hold_back, read_customers, read_orders, read_payments},
    table::Table,
};
use std::collections::HashSet;
use tramline_contract::Coordination;

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
    let table = read_orders(file.path(), Coordination::Choreography).expect("it reads");
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
    let error = format!(
        "{:#}",
        read_orders(std::path::Path::new("/nowhere/orders.csv"), Coordination::Choreography)
            .expect_err("it is refused")
    );
    assert!(error.starts_with("cannot read /nowhere/orders.csv"), "{error}");
}

#[test]
fn the_orders_of_a_skipped_customer_are_held_back() {
    let file = file(b"order_number,order_date,customer_number,total\n1,2003-01-09,7,5\n2,2003-01-09,8,5\n");
    let mut table = read_orders(file.path(), Coordination::Choreography).expect("it reads");
    let held = hold_back(&mut table, &HashSet::from([7]));
    assert_eq!(outline(&table).0, [2]);
    assert_eq!((held.len(), held[0].line, held[0].reason.as_str()), (1, 2, "its customer 7 was skipped"));
}

#[test]
fn a_payment_is_named_by_its_customer_and_check() {
    let file = file(
        b"customer_number,check_number,payment_date,amount\n\
          1,A1,2003-02-01,5.00\n2,A1,2003-01-01,6\n1,A1,2003-03-01,7\n1,,2003-03-01,0.00\n1,A2,2003-01-01,8\n",
    );
    let table = read_payments(file.path()).expect("it reads");
    let (numbers, faults) = outline(&table);
    assert_eq!(numbers, [2, 1, 1]);
    let bad = "check_number must not be empty; leave it out instead; amount must be above zero";
    assert_eq!(faults, [(4, "check A1 of customer 1 is on line 2 already"), (5, bad)]);
    let ids: HashSet<_> = table.rows.iter().map(|row| row.value.command.id).collect();
    assert_eq!(ids.len(), 3);
}
