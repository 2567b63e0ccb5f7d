//! Runs other programs and says in one sentence what went wrong with them.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

/// Runs a command with our own output, and fails when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| start_error(command, &error))?;
    expect_success(command, status)
}

/// Whether the command can be started and succeeds; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a command printed on its standard output; fails when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| start_error(command, &error))?;
    expect_success(command, output.status)?;
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no text", shown(command)))
}

/// Runs a command, shows what it prints as it comes, and keeps a copy: (succeeded, all that it printed).
pub fn run_and_listen(command: &mut Command) -> Result<(bool, String)> {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| start_error(command, &error))?;
    let stdout = child.stdout.take().context("the child has no standard output")?;
    let stderr = child.stderr.take().context("the child has no standard error")?;
    let heard = thread::scope(|scope| {
        let errors = scope.spawn(|| pass_on(stderr, io::stderr()));
        let mut heard = pass_on(stdout, io::stdout());
        heard.push_str(&errors.join().unwrap_or_default());
        heard
    });
    let status = child.wait().with_context(|| format!("`{}` can't be awaited", shown(command)))?;
    Ok((status.success(), heard))
}

/// The command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, argument| format!("{line} {}", argument.to_string_lossy()))
}

fn pass_on(from: impl Read, mut to: impl Write) -> String {
    let mut heard = String::new();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        // Nobody left to read our output is no reason to stop listening to the child.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        heard.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    heard
}

fn expect_success(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

fn start_error(command: &Command, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!("`{}` is not on this machine", command.get_program().to_string_lossy()),
        _ => anyhow!("`{}` can't be started: {error}", shown(command)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program-here` is not on this machine");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn both_outputs_are_heard_and_the_failure_told() {
        let (succeeded, heard) =
            run_and_listen(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 1"])).unwrap();
        assert!(!succeeded);
        assert!(heard.contains("out\n") && heard.contains("err\n"), "{heard}");
    }
}
