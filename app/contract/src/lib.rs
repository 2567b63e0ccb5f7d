//! What browser and gateway say to each other: ids, money, versions, commands, documents and socket frames.
//!
//! Pure data that compiles for both sides of the wire. It must not know how either side stores, sends or shows it.
//! Input is parsed into types here ([`fields`]); past that point a type is proof that the value is good.

mod credit;
mod customer;
pub mod fields;
mod ids;
pub mod live;
mod mail;
mod money;
mod order;
mod order_changes;
mod page;
mod parked;
mod problem;
mod saga;
mod search;
mod version;

pub use credit::{PaymentReference, RecordPayment, SetCreditLimit};
pub use customer::{CreateCustomer, Customer, CustomerName, CustomerOrders};
pub use ids::{CustomerId, OrderId, PaymentId, SagaId, uuid_v7};
pub use mail::{Mail, MailAbout, MailId, MailState, NoMailId};
pub use money::{Money, MoneyError};
pub use order::{Coordination, CreateOrder, Order, OrderAccepted, OrderState, RejectionReason};
pub use order_changes::{CancelOrder, ReviseOrder};
pub use page::{Created, Page, Timestamp};
pub use parked::{
    AuditEntry, AuditPage, EditParked, MendParked, Mended, ParkedDetail, ParkedKey, ParkedKeys, ParkedKind,
    ParkedKinds, ParkedMessage, Rehearsal, RehearsedMessage, SkipParked,
};
pub use problem::{FieldError, Problem};
pub use saga::{RetrySaga, Saga, SagaDetail, SagaMessage, SagaState, SagaStep, StepCategory};
pub use search::SearchHit;
pub use version::Version;
