//! The notifications service: its consumer and its sender.

use super::workers::Workers;
use crate::config::Config;
use anyhow::Context as _;
use axum::Router;
use std::sync::Arc;
use tramline_db::Db;
use tramline_messages::{
    channels::{NOTIFICATION_COMMANDS, ORDER_EVENTS},
    services::ORDERS,
};
use tramline_messaging::{Messaging, ParkingLot, Sharing, Transactional};
use tramline_notifications::{
    CHOREOGRAPHY_GROUP, CommandHandler, GROUP, Notifications, OrderEventHandler, Sender, Transport, bodies,
    is_our_turn, routes, turn_bodies,
};

/// Starts the service, and returns its HTTP interface.
pub(super) async fn notifications(database: Db, config: &Config, workers: &Workers) -> anyhow::Result<Router> {
    let transport = Transport::open(&config.mails.server, &config.stores.data).context("--mail")?;
    let notifications = Notifications::new(Messaging::open(database).await?, config.mails.addresses.clone());
    let messaging = notifications.messaging().clone();
    let handler = Arc::new(CommandHandler::new(notifications.clone()));
    let effects = || Transactional::new(GROUP, messaging.clone(), Arc::clone(&handler));
    let channels = [(ORDERS, NOTIFICATION_COMMANDS)];
    // Nobody waits for a mail, and sagas have the processor meanwhile.
    workers.consume_resting(GROUP, messaging.db(), &channels, effects()).await?;
    let turns_of = Arc::new(OrderEventHandler::new(notifications.clone()));
    let turns = || Transactional::new(CHOREOGRAPHY_GROUP, messaging.clone(), Arc::clone(&turns_of));
    let events = [(ORDERS, ORDER_EVENTS)];
    workers.consume_only(CHOREOGRAPHY_GROUP, messaging.db(), &events, turns(), is_our_turn).await?;
    let sender = Sender::new(notifications.clone(), transport);
    let sender = match workers.sharing() {
        Sharing::Alone => sender.alone().await?,
        Sharing::Among(_) => sender,
    };
    workers.spawn(|stop| Box::pin(sender.run(stop)));
    let lot = ParkingLot::new(messaging.clone()).group(GROUP, bodies(), effects());
    let lot = lot.group(CHOREOGRAPHY_GROUP, turn_bodies(), turns());
    Ok(routes(notifications).merge(workers.mend(lot)))
}
