//! What must be true of this service's database. Read-only.

use std::collections::HashMap;
use tramline_contract::{MailAbout, MailId, OrderId, Version};
use tramline_db::{Db, DbError, sql};
use uuid::Uuid;

/// What was told of each order, by the version that it tells of; and which mails wait for an operator.
///
/// # Errors
/// When the database fails.
pub async fn read(db: &Db) -> Result<(HashMap<OrderId, Vec<(Version, MailAbout)>>, Vec<String>), DbError> {
    let rows: Vec<(Uuid, i64, String, String)> =
        db.all(sql("select order_id, order_version, about, state from mail order by order_id, order_version")).await?;
    let (mut told, mut wrong) = (HashMap::<_, Vec<_>>::new(), Vec::new());
    for (order, version, about, state) in rows {
        let (order, version) = (OrderId(order), Version(version));
        let about = MailAbout::parse(&about).ok_or_else(|| DbError::corrupt("what a mail is about", about))?;
        if state == "FAILED" {
            let id = MailId { order_id: order, order_version: version };
            wrong.push(format!("mail {id} has failed and waits for an operator"));
        }
        told.entry(order).or_default().push((version, about));
    }
    Ok((told, wrong))
}
