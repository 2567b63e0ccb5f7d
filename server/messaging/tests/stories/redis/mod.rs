//! What only a broker outside the process can do wrong: forget, restart, be damaged, be shared.

mod damage;
mod delivery;
mod depot;
mod groups;
mod readers;
mod speed;
