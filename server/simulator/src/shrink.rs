//! From a long run that fails to a short one that fails too: fewer choices, and plainer ones.

/// Runs that shrinking may take: some seconds.
const TRIES_MAX: usize = 300;

/// The shortest list found that still `fails`, and how many runs that took. `fails` gives back what was chosen in truth.
pub(crate) fn shrink(first: Vec<u32>, mut fails: impl FnMut(&[u32]) -> Option<Vec<u32>>) -> (Vec<u32>, usize) {
    let (mut best, mut tries) = (first, 0);
    let mut attempt = |candidate: &[u32], best: &mut Vec<u32>| {
        if tries == TRIES_MAX {
            return None;
        }
        tries += 1;
        let taken = fails(candidate)?;
        let is_better = (taken.len(), weight(&taken)) < (best.len(), weight(best));
        is_better.then(|| *best = taken)
    };
    loop {
        let before = (best.len(), weight(&best));
        let mut size = (best.len() / 2).max(1);
        while size > 0 {
            let mut at = best.len().saturating_sub(size);
            loop {
                let end = (at + size).min(best.len());
                let mut shorter = best.clone();
                shorter.drain(at.min(end)..end);
                if attempt(&shorter, &mut best).is_none() {
                    let mut plainer = best.clone();
                    plainer.iter_mut().take(end).skip(at).for_each(|choice| *choice = 0);
                    if plainer != best {
                        attempt(&plainer, &mut best);
                    }
                }
                if at == 0 {
                    break;
                }
                at = at.saturating_sub(size);
            }
            size /= 2;
        }
        if (best.len(), weight(&best)) == before {
            break;
        }
    }
    (best, tries)
}

fn weight(choices: &[u32]) -> usize {
    choices.iter().filter(|choice| **choice > 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        // It fails when a 7 comes before a 9.
        let fails = |choices: &[u32]| {
            let seven = choices.iter().position(|choice| *choice == 7)?;
            choices.iter().skip(seven).any(|choice| *choice == 9).then(|| choices.to_vec())
        };
        let long: Vec<u32> = (0..200)
            .map(|place| {
                if place == 60 {
                    7
                } else if place == 150 {
                    9
                } else {
                    3
                }
            })
            .collect();
        assert_eq!(shrink(long, fails).0, [7, 9]);
    }
}
