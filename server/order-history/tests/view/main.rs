//! What the view must do, told to each store that it may lie in, and what Redis must do besides.

mod disorder;
mod documents;
mod events;
mod feed;
mod heal;
mod lists;
mod mending;
mod offsets;
mod reads;
mod rebuild;
mod redis;
mod search;
mod speed;
mod stores;
