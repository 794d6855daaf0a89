//! Command-line arguments: flags, options with a value, and a check that nothing is left over.

use crate::Result;

/// What stands on the command line and was not asked for yet.
#[derive(Debug)]
pub struct Args(Vec<String>);

impl Args {
    /// All arguments after the program's name.
    pub fn new(args: impl Iterator<Item = String>) -> Self {
        Self(args.collect())
    }

    /// Takes the first argument: the command.
    pub fn command(&mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Takes `--name`; true if it stood there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|arg| arg != name);
        self.0.len() != before
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        if let Some(at) = self.0.iter().position(|arg| arg == name) {
            if at + 1 >= self.0.len() {
                return Err(format!("{name} needs a value"));
            }
            self.0.remove(at);
            return Ok(Some(self.0.remove(at)));
        }
        let prefix = format!("{name}=");
        let at = self.0.iter().position(|arg| arg.starts_with(&prefix));
        Ok(at.map(|at| self.0.remove(at)[prefix.len()..].to_owned()))
    }

    /// Takes what stands after `--`: it is meant for another program.
    pub fn after_dashes(&mut self) -> Vec<String> {
        match self.0.iter().position(|arg| arg == "--") {
            None => Vec::new(),
            Some(at) => {
                let more = self.0.split_off(at + 1);
                self.0.pop();
                more
            }
        }
    }

    /// Everything that is left.
    pub fn rest(self) -> Vec<String> {
        self.0
    }

    /// Refuses what nobody asked for: a mistyped flag must not be ignored in silence.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(arg) => Err(format!("unknown argument `{arg}` (see `cargo xtask help`)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args {
        Args::new(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn takes_flags_and_options_and_refuses_the_rest() {
        let mut a = args("run --detach --port 8081 --config=a.toml");
        assert_eq!(a.command().as_deref(), Some("run"));
        assert!(a.flag("--detach"));
        assert!(!a.flag("--fresh"));
        assert_eq!(a.option("--port"), Ok(Some("8081".into())));
        assert_eq!(a.option("--config"), Ok(Some("a.toml".into())));
        assert_eq!(a.finish(), Ok(()));
        assert!(args("--prot 1").finish().is_err());
        let mut b = args("--only rust -- --nocapture x");
        assert_eq!(b.after_dashes(), ["--nocapture", "x"]);
        assert_eq!(b.rest(), ["--only", "rust"]);
        assert!(args("--port").option("--port").is_err());
    }
}
