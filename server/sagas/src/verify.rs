//! Tells before a deployment which running sagas a new program could not resume.
//!
//! It reads a database as it is and changes nothing: every saga that has not ended is held against the definitions of this
//! program, its progress against their steps and its data against their type. It decides nothing about what to do then.

use crate::{Definition, Plan, Progress};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tramline_db::{Db, DbError, sql, values};
use uuid::Uuid;

/// Sagas read at once.
const PAGE: i64 = 500;
/// Ids shown of each group: enough to look at some, however many there are.
pub const EXAMPLES_MAX: usize = 3;

/// What can say whether it resumes a saga: a [`Definition`].
pub trait Resumes: Send + Sync {
    /// Its plan.
    fn plan(&self) -> Plan;

    /// Why it does not read data of that version, or `None`.
    fn misreads(&self, version: i64, data: &str) -> Option<String>;
}

impl<D: DeserializeOwned + 'static> Resumes for Definition<D> {
    fn plan(&self) -> Plan {
        Plan::of(self)
    }

    fn misreads(&self, version: i64, data: &str) -> Option<String> {
        self.read_data(version, data).err().map(|error| error.to_string())
    }
}

/// What becomes of running sagas that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// They run on this very plan.
    Same,
    /// They run on another one and can go on.
    GoesOn,
    /// They began before plans were written down; as many steps as now, so they are taken to be the same.
    NoPlan,
    /// They could not be resumed, and why.
    Stuck(String),
}

/// Running sagas that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Their kind.
    pub kind: String,
    /// The fingerprint of the plan that they run on; empty when they began before there were any.
    pub fingerprint: String,
    /// What becomes of them.
    pub verdict: Verdict,
    /// How many there are.
    pub count: usize,
    /// Some of them.
    pub examples: Vec<Uuid>,
}

tramline_db::record! {
    struct Running {
        saga_id: Uuid,
        saga_type: String,
        fingerprint: String,
        data_version: i64,
        progress: String,
        data: String,
    }
}

/// Holds every saga that has not ended against these definitions.
///
/// # Errors
/// When the database fails, or is older than fingerprints and so has none.
pub async fn verify(db: &Db, definitions: &[Box<dyn Resumes>]) -> Result<Vec<Finding>, DbError> {
    let plans: BTreeMap<String, Plan> = known_plans(db).await?;
    let news: Vec<(Plan, &dyn Resumes)> = definitions.iter().map(|one| (one.plan(), &**one)).collect();
    let mut groups: BTreeMap<(String, String, Verdict), (usize, Vec<Uuid>)> = BTreeMap::new();
    let mut after = Uuid::nil();
    loop {
        let page: Vec<Running> = db
            .all(
                sql("select saga_id, saga_type, fingerprint, data_version, progress, data from saga_instance \
                     where ended_at is null and choreographed = 0 and saga_id > $1 order by saga_id limit $2")
                .bind(after)
                .bind(PAGE),
            )
            .await?;
        let Some(last) = page.last() else { break };
        after = last.saga_id;
        for saga in page {
            let verdict = judge(&saga, &plans, &news);
            let group = groups.entry((saga.saga_type, saga.fingerprint, verdict)).or_default();
            group.0 += 1;
            if group.1.len() < EXAMPLES_MAX {
                group.1.push(saga.saga_id);
            }
        }
    }
    let finding =
        |((kind, fingerprint, verdict), (count, examples))| Finding { kind, fingerprint, verdict, count, examples };
    Ok(groups.into_iter().map(finding).collect())
}

fn judge(saga: &Running, plans: &BTreeMap<String, Plan>, news: &[(Plan, &dyn Resumes)]) -> Verdict {
    let Some((new, definition)) = news.iter().find(|(plan, _)| plan.kind == saga.saga_type) else {
        return Verdict::Stuck("no definition of this kind is left".to_owned());
    };
    if let Some(reason) = definition.misreads(saga.data_version, &saga.data) {
        return Verdict::Stuck(reason);
    }
    if saga.fingerprint == new.fingerprint() {
        return Verdict::Same;
    }
    if saga.fingerprint.is_empty() {
        let steps = saga.progress.split('!').next().unwrap_or_default().len();
        let alike = steps == 0 || steps == new.steps.len();
        return if alike {
            Verdict::NoPlan
        } else {
            Verdict::Stuck("it has another number of steps, and no plan".to_owned())
        };
    }
    let Some(old) = plans.get(&saga.fingerprint) else {
        return Verdict::Stuck("the plan that it runs on was not written down".to_owned());
    };
    let Some(progress) = Progress::parse(&saga.progress) else {
        return Verdict::Stuck("its progress does not read".to_owned());
    };
    match old.obstacles(&progress, new).as_slice() {
        [] => Verdict::GoesOn,
        obstacles => Verdict::Stuck(obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

/// Whether a database is new enough to know the plans of its sagas.
///
/// # Errors
/// When the database fails, or no schema of ours is there.
pub async fn has_plans(db: &Db) -> Result<bool, DbError> {
    let step: Option<(i64,)> =
        db.optional(sql("select version from schema_migration where version = $1").bind(crate::schema::PLANS)).await?;
    Ok(step.is_some())
}

/// Writes down the plans of this program, so that a later one can tell what runs on them. Once at each start.
///
/// # Errors
/// When the database fails.
pub async fn remember_plans(db: &Db, plans: &[Plan]) -> Result<(), DbError> {
    let now = db.now();
    let rows: Vec<_> =
        plans.iter().map(|plan| values![plan.fingerprint(), plan.kind.as_str(), plan.to_text()]).collect();
    db.write(move |tx| {
        Box::pin(async move {
            tx.execute(
                sql("insert into saga_plan (fingerprint, saga_type, plan, first_seen_at) \
                     select new.fingerprint, new.saga_type, new.plan, $2 \
                     from rows($1: fingerprint text, saga_type text, plan text) as new where true \
                     on conflict (fingerprint) do nothing")
                .rows(rows)
                .bind(now),
            )
            .await?;
            Ok(())
        })
    })
    .await
}

/// Every plan that was ever written down, by its fingerprint.
async fn known_plans(db: &Db) -> Result<BTreeMap<String, Plan>, DbError> {
    let rows: Vec<(String, String)> = db.all(sql("select fingerprint, plan from saga_plan")).await?;
    rows.into_iter().map(|(fingerprint, text)| Ok((fingerprint, read_plan(&text)?))).collect()
}

pub(crate) fn read_plan(text: &str) -> Result<Plan, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::corrupt("a saga's plan", error))
}
