//! What the site is made of besides the wasm: the style sheet, the boot script and the files taken as they are.

use std::fs;

use anyhow::{Context, Result, anyhow};
use lightningcss::{
    bundler::{Bundler, FileProvider},
    printer::PrinterOptions,
    stylesheet::{MinifyOptions, ParserOptions},
};

use crate::{fingerprint, settings::Settings, workspace};

/// Stands in `app/index.html` for the folder of the hashed files.
const PLACE_OF_FILES: &str = "{{pkg}}";

/// Reloads the page of the quick build when the site changes or the server comes back. See [`crate::dev`].
const RELOAD: &str = include_str!("reload.js");

/// The style sheet with all that it imports, as one small file.
pub fn style_sheet(settings: &Settings) -> Result<String> {
    let files = FileProvider::new();
    let path = workspace::path(&settings.style_file);
    let failed = |error: &dyn std::fmt::Display| anyhow!("the style sheet can't be built: {error}");
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    let mut sheet = bundler.bundle(&path).map_err(|error| failed(&error))?;
    sheet.minify(MinifyOptions::default()).map_err(|error| failed(&error))?;
    let printed =
        sheet.to_css(PrinterOptions { minify: true, ..Default::default() }).map_err(|error| failed(&error))?;
    Ok(printed.code)
}

/// The files that go into the site as they are, by the name that they have there.
pub fn plain_files(settings: &Settings) -> Result<Vec<(String, Vec<u8>)>> {
    let boot = settings.app().join("boot.js");
    let boot = fs::read(&boot).with_context(|| format!("{} can't be read", boot.display()))?;
    let prefix = format!("{}/", settings.assets_dir);
    let public = fingerprint::read_tree(&workspace::path(&settings.assets_dir))?;
    let named = public.into_iter().map(|(name, bytes)| (name.trim_start_matches(prefix.as_str()).to_owned(), bytes));
    Ok([("boot.js".to_owned(), boot)].into_iter().chain(named).collect())
}

/// The script that only the page of the quick build loads.
pub fn reload_script() -> (String, Vec<u8>) {
    ("reload.js".to_owned(), RELOAD.into())
}

/// The page that loads the site from the folder `pkg`.
pub fn page(settings: &Settings, pkg: &str, reloads: bool) -> Result<String> {
    let path = settings.app().join("index.html");
    let template = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    filled(&template, pkg, reloads)
}

fn filled(template: &str, pkg: &str, reloads: bool) -> Result<String> {
    if !template.contains(PLACE_OF_FILES) {
        return Err(anyhow!("app/index.html has no {PLACE_OF_FILES} where the folder of the site's files goes"));
    }
    let page = template.replace(PLACE_OF_FILES, pkg);
    let script = format!("<script src=\"{pkg}/reload.js\" defer></script>\n</head>");
    Ok(if reloads { page.replacen("</head>", &script, 1) } else { page })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "<head><link href=\"{{pkg}}/tramline.css\">\n</head>";

    #[test]
    fn the_page_names_the_hashed_folder() {
        let page = filled(TEMPLATE, "/pkg/1f", false).unwrap();
        assert_eq!(page, "<head><link href=\"/pkg/1f/tramline.css\">\n</head>");
    }

    #[test]
    fn only_the_quick_build_reloads_itself() {
        assert!(filled(TEMPLATE, "/pkg/1f", true).unwrap().contains("src=\"/pkg/1f/reload.js\" defer"));
        assert!(!filled(TEMPLATE, "/pkg/1f", false).unwrap().contains("reload.js"));
    }

    #[test]
    fn a_page_without_a_place_for_the_folder_is_refused() {
        assert!(filled("<head></head>", "/pkg/1f", false).is_err());
    }
}
