//! Stories of the whole desk: the real program on a port of its own, driven over HTTP and the socket as its users do.

mod account;
mod bad_input;
mod bodies;
mod changes;
mod check;
mod coordination;
mod credit;
mod deployment;
mod desk;
mod heal;
mod import;
mod import_matrix;
mod life;
mod lists;
mod matrix;
mod once;
mod parked;
mod rebuild;
mod saga_repair;
mod saga_tables;
mod sagas;
mod search;
mod socket;
mod versions;
