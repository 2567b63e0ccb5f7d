//! What a relay knows of how far each stream is published. Pure.

use crate::{Batch, Epochs, Position, Publication, Published, StreamId};
use std::{collections::HashMap, sync::Arc};

/// The last number published of each stream that this process owns.
#[derive(Debug, Default)]
pub(crate) struct PublishedMarks {
    epochs: Arc<Epochs>,
    marks: HashMap<StreamId, i64>,
}

impl PublishedMarks {
    /// Begins anew from where the broker stands.
    pub(crate) fn reset(&mut self, epochs: &Arc<Epochs>, heads: impl Iterator<Item = Position>) {
        self.epochs = Arc::clone(epochs);
        self.marks = heads.collect();
    }

    /// What was owned when the marks were taken.
    pub(crate) const fn epochs(&self) -> &Arc<Epochs> {
        &self.epochs
    }

    /// Every mark, to read the outbox from.
    pub(crate) fn positions(&self) -> Vec<Position> {
        self.marks.iter().map(|(stream, seq)| (stream.clone(), *seq)).collect()
    }

    /// Whether the stream is published up to that number.
    pub(crate) fn has(&self, stream: &StreamId, seq: i64) -> bool {
        self.marks.get(stream).is_some_and(|mark| *mark >= seq)
    }

    /// What of these rows continues a stream that we own. Beside it, whether rows before some of them are missing.
    pub(crate) fn select(&self, batches: Vec<Batch>) -> (Vec<Publication>, bool) {
        let (mut publications, mut missing) = (Vec::new(), false);
        for (stream, mut records) in batches {
            let Some(epoch) = self.epochs.get(&stream.partition).copied() else { continue };
            let mark = self.marks.get(&stream).copied().unwrap_or(0);
            records.retain(|record| record.seq > mark);
            let contiguous = records.iter().zip(mark + 1..).all(|(record, expected)| record.seq == expected);
            if !contiguous {
                missing = true;
            } else if !records.is_empty() {
                publications.push(Publication { stream, epoch, records });
            }
        }
        (publications, missing)
    }

    /// Takes the broker's answers. `true`: it lacks something, which the table has.
    pub(crate) fn settle(&mut self, publications: &[Publication], outcomes: &[Published]) -> bool {
        let mut look = false;
        for (publication, outcome) in publications.iter().zip(outcomes) {
            let stream = &publication.stream;
            match outcome {
                Published::Accepted => {
                    let count = publication.records.len() as u64;
                    metrics::counter!("tramline_messages_published_total", "source" => stream.source).increment(count);
                    if let Some(last) = publication.records.last() {
                        let mark = self.marks.entry(stream.clone()).or_default();
                        *mark = (*mark).max(last.seq);
                    }
                }
                Published::Gap { head } => {
                    tracing::warn!(stream = %stream, head, "the broker lacks messages; publishing again from its head");
                    self.marks.insert(stream.clone(), *head);
                    look = true;
                }
                Published::Fenced { epoch } => {
                    tracing::warn!(stream = %stream, epoch, "another relay publishes this stream now");
                    self.disown(stream.partition);
                }
            }
        }
        look
    }

    fn disown(&mut self, partition: u16) {
        let mut epochs = Epochs::clone(&self.epochs);
        epochs.remove(&partition);
        self.epochs = Arc::new(epochs);
        self.marks.retain(|stream, _| stream.partition != partition);
    }
}
