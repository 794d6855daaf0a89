//! What went wrong, said to the person who can do something about it.

/// The kind of an error; the edge maps it to a status code, pages to a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was given cannot be used (422, or 400 for what no form sends).
    Invalid,
    /// Nothing here that this person may see (404).
    NotFound,
    /// The person may see it and may not do this (403).
    Forbidden,
    /// The person may have the right, and has to sign in again to show it (403).
    SignInAgain,
    /// Something else came first (409).
    Conflict,
    /// Over a limit (413).
    TooLarge,
    /// Too often (429).
    TooMany,
    /// A program outside does not answer (503).
    Unavailable,
    /// Our own fault (500).
    Internal,
}

/// One field that cannot stay as it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// The form field's name, or the manifest's path (`spec.predictor.minReplicas`).
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// An error with two sides. What a person may read is in `message`, `remedy` and `fields`; what
/// only the log may have is in `source`. It has no `Display`, so internals cannot leak by accident.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
    pub fields: Vec<FieldError>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            remedy: None,
            fields: Vec::new(),
            source: None,
        }
    }
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, message)
    }
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }
    /// Our own fault: the person is told that it was logged, the log gets the cause.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "something went wrong on our side; it has been logged",
        )
        .caused_by(source)
    }
    /// One field is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut e = Self::invalid(message.clone());
        e.fields.push(FieldError {
            field: field.into(),
            message,
        });
        e
    }
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
    /// The cause, for the log only.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.source.as_deref()
    }
    /// One line for the log: the public words and the chain of causes.
    pub fn for_log(&self) -> String {
        let mut line = format!("{:?}: {}", self.kind, self.message);
        let mut cause = self.source.as_deref().map(|e| e as &dyn std::error::Error);
        while let Some(e) = cause {
            line.push_str(": ");
            line.push_str(&e.to_string());
            cause = e.source();
        }
        line
    }
}
