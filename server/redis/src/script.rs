//! Scripts: sent by their hash, and in full only to a server that does not know them (yet, or any longer).

use crate::{Command, Redis, RedisError, Value};
use redis::{ErrorKind, RedisError as ClientError, ServerErrorKind};

/// A Lua script that Redis runs as one step. All keys of a call must have the same hash tag.
#[derive(Clone, Debug)]
pub struct Script {
    code: &'static str,
    hash: String,
}

/// One run of a [`Script`].
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// `KEYS` of the script.
    pub keys: Vec<String>,
    /// `ARGV` of the script.
    pub arguments: Vec<Vec<u8>>,
}

impl Script {
    /// A script from its text.
    #[must_use]
    pub fn new(code: &'static str) -> Self {
        Self { code, hash: redis::Script::new(code).get_hash().to_owned() }
    }

    fn command(&self, Call { keys, arguments }: &Call) -> Command {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len()).arg(keys);
        for argument in arguments {
            command.arg(argument.as_slice());
        }
        command
    }
}

impl Redis {
    /// Runs a script once per call, all in one round trip, and answers in their order. A server that does not know the
    /// script is taught it, and runs then what it did not run before.
    ///
    /// # Errors
    /// When Redis cannot be reached or a run fails. Other runs may have been carried out.
    pub async fn run_script(&self, script: &Script, calls: &[Call]) -> Result<Vec<Value>, RedisError> {
        let mut answers = self.ask(calls.iter().map(|call| script.command(call)).collect()).await?;
        let unknown: Vec<usize> =
            answers.iter().enumerate().filter(|(_, answer)| is_unknown(answer)).map(|(index, _)| index).collect();
        if !unknown.is_empty() {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.code);
            self.run(vec![load]).await?;
            let again = unknown.iter().filter_map(|index| calls.get(*index)).map(|call| script.command(call)).collect();
            for (index, answer) in unknown.into_iter().zip(self.ask(again).await?) {
                answers[index] = answer;
            }
        }
        self.all(answers)
    }
}

fn is_unknown(answer: &Result<Value, ClientError>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
}
