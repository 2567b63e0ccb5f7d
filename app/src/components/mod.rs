//! The parts that pages are made of.

mod amount;
pub mod banner;
mod combobox;
mod dialog;
mod field;
mod header;
mod help;
mod icon;
pub mod keyboard;
mod live_regions;
mod not_sent;
mod order_table;
mod panel;
mod rows;
mod status;
mod toasts;

pub use amount::Amount;
pub use combobox::Combobox;
pub use dialog::Dialog;
pub use field::TextField;
pub use header::Header;
pub use help::HelpDialog;
pub use icon::Icon;
pub use live_regions::LiveRegions;
pub use not_sent::NotSentCards;
pub use order_table::OrderTable;
pub use panel::{EmptyPanel, NewRowsPill, SampleButton, Skeleton, TroublePanel};
pub use rows::{Rows, RowsView};
pub use status::{StaleNote, StatusBadge};
pub use toasts::Toasts;
