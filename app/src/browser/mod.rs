//! The browser's own services: clock, chance, storage, address bar, document.

pub mod clock;
pub mod document;
pub mod history;
pub mod storage;
pub mod timer;

pub use document::root;
