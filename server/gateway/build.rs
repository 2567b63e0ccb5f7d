//! Makes sure that the folder of the site exists, because its files are built into the gateway.
//!
//! `cargo xtask site` writes the real one. Without it the gateway still builds, and its one page says what to run.

use std::{fs, path::Path};

const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Tramline</title></head>
<body><h1>Tramline</h1><p>The pages are not built into this server. Run <code>cargo xtask site</code>, then build it again.</p></body>
</html>
";

fn main() {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/site");
    let index = site.join("index.html");
    if !index.exists() {
        fs::create_dir_all(&site).expect("the target folder can be written");
        fs::write(&index, PLACEHOLDER).expect("the target folder can be written");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", site.display());
}
