//! Work that fails again and again while a store or the broker is away, told ever more seldom.

/// How long the same work has failed, in tries.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    tries: u32,
}

impl Outage {
    /// Another try failed. Gives its number when it is worth a line in the log.
    pub(crate) fn goes_on(&mut self) -> Option<u32> {
        self.tries = self.tries.saturating_add(1);
        is_told(self.tries).then_some(self.tries)
    }

    /// The work was done: what fails next is another outage.
    pub(crate) const fn ends(&mut self) {
        self.tries = 0;
    }
}

/// Which tries of an outage are worth a line in the log: the first, and ever fewer, so that a long one does not fill the disk.
pub(crate) const fn is_told(tries: u32) -> bool {
    tries.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_an_outage_the_fewer_of_its_tries_are_told() {
        let mut outage = Outage::default();
        let told = |outage: &mut Outage| (0..1_000).filter_map(|_| outage.goes_on()).collect::<Vec<_>>();
        assert_eq!(told(&mut outage), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert_eq!(told(&mut outage), [1_024]);
        outage.ends();
        assert_eq!(outage.goes_on(), Some(1), "the next one is told at once");
    }
}
