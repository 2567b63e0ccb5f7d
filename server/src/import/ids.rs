//! From a number in a file to the id of what it names, the same in every run.

use tramline_contract::{CustomerId, OrderId, PaymentId};
use uuid::Uuid;

/// Of this program's imports alone. Never changed: another one would import everything a second time.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a88_f93e_0322_4644_802b_d210_4cd4_a1ba);

/// The customer of that number.
pub(super) fn customer(number: u64) -> CustomerId {
    CustomerId(Uuid::new_v5(&NAMESPACE, format!("customer:{number}").as_bytes()))
}

/// The order of that number.
pub(super) fn order(number: u64) -> OrderId {
    OrderId(Uuid::new_v5(&NAMESPACE, format!("order:{number}").as_bytes()))
}

/// The payment that this customer made with that check.
pub(super) fn payment(customer_number: u64, check: &str) -> PaymentId {
    PaymentId(Uuid::new_v5(&NAMESPACE, format!("payment:{customer_number}:{check}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_id_that_it_had_in_the_first_release() {
        assert_eq!(customer(103).to_string(), "8f9c30c8-b609-56a2-8e78-584771644824");
        assert_eq!(order(103).to_string(), "14f37074-2460-5e00-8889-3ab484e9564d");
    }
}
