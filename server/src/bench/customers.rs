//! Customers of the benchmark's own, whose credit never runs out.

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tramline_contract::{CreateCustomer, Created, CustomerId, CustomerName, Money};
use tramline_db::{IdSource as _, SystemIds};
use tramline_http::ServiceClient;

/// Customers under way at once.
const LANES: usize = 16;

/// Creates so many customers under fresh ids.
pub(super) async fn create(server: &ServiceClient, count: u64) -> anyhow::Result<Vec<CustomerId>> {
    stream::iter(1..=count)
        .map(|number| async move {
            let id = CustomerId(SystemIds.next());
            let name = CustomerName::parse(&format!("Benchmark {number}")).map_err(anyhow::Error::msg)?;
            let customer = CreateCustomer { id: Some(id), name, credit_limit: Money::MAX };
            let created = server.post_json("/api/customers", &customer).json::<Created>().await;
            created.context("a customer could not be created")?;
            Ok(id)
        })
        .buffered(LANES)
        .try_collect()
        .await
}
