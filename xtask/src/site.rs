//! Builds the site that the server carries inside: the bound wasm, one style sheet, the page, all compressed.
//!
//! All but the page lies in a folder named by a hash of its content, so browsers may keep it for ever.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{
    assets, compress, fingerprint::Fingerprint, settings::Settings, stopwatch::Stopwatch, tools, wasm, workspace,
};

/// How much the browser may have to fetch before the app runs: wasm and JavaScript, compressed.
const BUDGET_BYTES: usize = 300 * 1024;

/// The one file outside the hashed folder.
const PAGE: &str = "index.html";

/// What the site is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For users: optimised and compressed.
    Release,
    /// For whoever works on it: built fast, and the page reloads itself.
    Dev,
}

/// The files of the site by their path below its root.
type Files = BTreeMap<String, Vec<u8>>;

/// Builds the site, unless it is there already.
pub fn build(mode: Mode) -> Result<()> {
    tools::wasm_target()?;
    let settings = Settings::read()?;
    let wasm = wasm::compile(&settings, mode)?;
    let inputs = inputs(&settings, mode, &wasm)?;
    let note = settings.site().with_extension("fingerprint");
    if fs::read_to_string(&note).is_ok_and(|last| last == inputs) && settings.site().join(PAGE).is_file() {
        return Ok(());
    }

    let watch = Stopwatch::start();
    let mut files = bundle(&settings, mode, &wasm)?;
    let report = match mode {
        Mode::Release => compress_all(&mut files)?,
        Mode::Dev => String::new(),
    };
    // The note goes first and comes back last: a site that was left half-written is never taken for whole.
    let _ = fs::remove_file(&note);
    write(&settings.site(), &files)?;
    fs::write(&note, inputs).with_context(|| format!("{} can't be written", note.display()))?;
    println!("{report}Built the site in {} ({})", settings.site_root, watch.elapsed());
    Ok(())
}

/// A fingerprint of all that the site is made from.
fn inputs(settings: &Settings, mode: Mode, wasm: &Path) -> Result<String> {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add("mode", if mode == Mode::Dev { b"dev" } else { b"release" });
    fingerprint.add_builder()?;
    fingerprint.add_path(wasm)?;
    let style = workspace::path(&settings.style_file);
    let files = ["index.html", "boot.js"].map(|name| settings.app().join(name));
    fingerprint.add_path(style.parent().unwrap_or(&style))?;
    fingerprint.add_path(&workspace::path(&settings.assets_dir))?;
    fingerprint.add_path(&workspace::path("Leptos.toml"))?;
    files.iter().try_for_each(|file| fingerprint.add_path(file))?;
    Ok(fingerprint.finish())
}

fn bundle(settings: &Settings, mode: Mode, wasm: &Path) -> Result<Files> {
    let mut hashed: Files = wasm::bind(settings, mode, wasm)?.into_iter().collect();
    hashed.insert(format!("{}.css", settings.output_name), assets::style_sheet(settings)?.into_bytes());
    hashed.extend(assets::plain_files(settings)?);
    if mode == Mode::Dev {
        hashed.extend([assets::reload_script()]);
    }

    let mut fingerprint = Fingerprint::default();
    hashed.iter().for_each(|(name, bytes)| fingerprint.add(name, bytes));
    let folder = format!("{}/{}", settings.site_pkg_dir, fingerprint.finish());

    let page = assets::page(settings, &format!("/{folder}"), mode == Mode::Dev)?;
    let mut files: Files = hashed.into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)).collect();
    files.insert(PAGE.to_owned(), page.into_bytes());
    Ok(files)
}

/// Puts `.br` and `.gz` beside each file that gains by it; tells the sizes, and fails when they burst the budget.
fn compress_all(files: &mut Files) -> Result<String> {
    let mut report = format!("  {:<24} {:>10} {:>10}\n", "", "raw", "brotli");
    let mut code_bytes = 0;
    let mut compressed = Files::new();
    for (path, bytes) in files.iter().filter(|(path, _)| compress::compressible(path)) {
        let (br, gz) = (compress::brotli(bytes)?, compress::gzip(bytes)?);
        let name = path.rsplit('/').next().unwrap_or(path);
        report += &format!("  {name:<24} {:>10} {:>10}\n", kilobytes(bytes.len()), kilobytes(br.len()));
        if path.ends_with(".wasm") || path.ends_with(".js") {
            code_bytes += br.len();
        }
        compressed.insert(format!("{path}.br"), br);
        compressed.insert(format!("{path}.gz"), gz);
    }
    files.append(&mut compressed);
    report += &format!("  {:<24} {:>10} {:>10}\n", "wasm and JavaScript", "", kilobytes(code_bytes));
    if code_bytes > BUDGET_BYTES {
        bail!("wasm and JavaScript are over their budget of {}:\n{report}", kilobytes(BUDGET_BYTES));
    }
    Ok(report)
}

/// Replaces the site. The page comes after the files that it names and before the old ones go, because the quick build's
/// server reads this folder while we write.
fn write(site: &Path, files: &Files) -> Result<()> {
    let (page, hashed): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| path.starts_with(PAGE));
    for (path, bytes) in hashed.into_iter().chain(page) {
        let path = site.join(path);
        if fs::read(&path).is_ok_and(|old| old == *bytes) {
            // The server's build looks at the time of change; a file that stays the same mustn't start it.
            continue;
        }
        let draft = path.with_added_extension("draft");
        fs::create_dir_all(path.parent().unwrap_or(site))
            .and_then(|()| fs::write(&draft, bytes))
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    let kept: Vec<PathBuf> = files.keys().map(|path| site.join(path)).collect();
    sweep(site, &kept)
}

/// Removes every file that isn't to be kept, and every folder that is empty then.
fn sweep(folder: &Path, kept: &[PathBuf]) -> Result<()> {
    let failed = || format!("{} can't be tidied", folder.display());
    for entry in fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.is_dir() {
            sweep(&path, kept)?;
            // Not empty means that something in it is kept.
            let _ = fs::remove_dir(&path);
        } else if !kept.contains(&path) {
            fs::remove_file(&path).with_context(failed)?;
        }
    }
    Ok(())
}

fn kilobytes(bytes: usize) -> String {
    format!("{}.{} KB", bytes / 1024, bytes % 1024 * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that no compression shrinks.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn compressed_files_lie_beside_what_gains_by_it() {
        let mut files = Files::from([("pkg/1/a.js".into(), b"a();".to_vec()), ("pkg/1/b.woff2".into(), vec![1])]);
        compress_all(&mut files).unwrap();
        let names: Vec<_> = files.keys().map(String::as_str).collect();
        assert_eq!(names, ["pkg/1/a.js", "pkg/1/a.js.br", "pkg/1/a.js.gz", "pkg/1/b.woff2"]);
    }

    #[test]
    fn a_new_site_leaves_nothing_of_the_old_one() {
        let site = std::env::temp_dir().join(format!("tramline-site-{}", std::process::id()));
        let version = |folder: &str| Files::from([(PAGE.to_owned(), vec![1]), (format!("pkg/{folder}/a.js"), vec![2])]);
        write(&site, &version("old")).unwrap();
        write(&site, &version("new")).unwrap();
        let there = crate::fingerprint::read_tree(&site).unwrap();
        fs::remove_dir_all(&site).unwrap();
        let names: Vec<_> = there.iter().map(|(name, _)| name.rsplit("tramline-site-").next().unwrap()).collect();
        assert!(names.len() == 2 && names[0].ends_with(PAGE) && names[1].ends_with("pkg/new/a.js"), "{names:?}");
    }

    #[test]
    fn code_over_the_budget_is_refused() {
        let mut files = Files::from([("pkg/1/a.wasm".into(), noise(BUDGET_BYTES + 1))]);
        let error = compress_all(&mut files).unwrap_err();
        assert!(error.to_string().contains("over their budget of 300.0 KB"), "{error}");
    }
}
