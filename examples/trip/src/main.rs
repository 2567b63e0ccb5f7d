//! `trip`: books two trips where one seat is left, and shows what was said.

use std::path::PathBuf;
use tramline_messaging::Headers;
use trip::desk::{Desk, Places};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("trip-data"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let desk = Desk::open(&folder, Places { hotel: 5, car: 5, flight: 1 }).await?;
    for traveller in ["Ada", "Grace"] {
        let trip = desk.book(traveller, "Lisbon").await?;
        let (view, log) = desk.ended(trip).await?;
        println!("\n{traveller} to Lisbon: {:?}", view.phase);
        for entry in log {
            let headers: Headers = serde_json::from_str(&entry.headers)?;
            println!("  {:<12}{:<16}{:<18}{}", entry.kind, entry.channel, headers.kind, entry.payload);
        }
        println!("  left: {:?}", desk.free().await?);
    }
    desk.close().await;
    Ok(())
}
