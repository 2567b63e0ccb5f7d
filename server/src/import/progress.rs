//! The bar that shows how far an import or a rebuild has come; silent when nobody watches.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many things. It goes when it is dropped and stays off what is not a terminal.
pub(crate) fn bar(doing: &'static str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{msg:<20} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.expect("the template is constant and good"));
    bar.set_message(doing);
    bar
}
