//! Queries whose parts depend on a filter. Values are always bound, never written into the text.

use crate::arg::Arg;

/// A query that is put together: fixed texts and bound values.
pub(crate) struct Sql {
    pub text: String,
    pub args: Vec<Arg>,
}

impl Sql {
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            args: Vec::new(),
        }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value and writes its placeholder.
    pub fn arg(&mut self, value: impl Into<Arg>) -> &mut Self {
        self.args.push(value.into());
        self.text.push_str(&format!("${}", self.args.len()));
        self
    }

    /// `($3, $4)`; an empty list is written so that nothing is in it.
    pub fn list<A: Into<Arg>>(&mut self, values: impl IntoIterator<Item = A>) -> &mut Self {
        self.text.push('(');
        let before = self.args.len();
        for value in values {
            if self.args.len() > before {
                self.text.push_str(", ");
            }
            self.arg(value);
        }
        if self.args.len() == before {
            self.text.push_str("NULL");
        }
        self.text.push(')');
        self
    }

    /// ` AND column IN (…)`, unless the list is empty (then everything is meant).
    pub fn among<A: Into<Arg>>(
        &mut self,
        column: &str,
        values: impl ExactSizeIterator<Item = A>,
    ) -> &mut Self {
        if values.len() > 0 {
            self.push(" AND ").push(column).push(" IN ").list(values);
        }
        self
    }

    /// ` AND` each word of the text stands somewhere in the column, which holds lower case.
    /// At most 8 words of 100 characters count.
    pub fn words(&mut self, column: &str, text: &str) -> &mut Self {
        for word in text.split_whitespace().take(8) {
            let word: String = word.chars().take(100).collect();
            self.push(" AND ")
                .push(column)
                .push(" LIKE ")
                .arg(format!("%{}%", like(&word.to_lowercase())))
                .push(r" ESCAPE '\'");
        }
        self
    }

    /// `(unit is one of the patterns or lies below one)`, as `domain::access::unit_matches` says.
    /// What lies below is a range, for `0` is the character after `/`: it is told apart by case in
    /// both databases, which `LIKE` in SQLite is not.
    pub fn unit_in(&mut self, column: &str, patterns: &[String]) -> &mut Self {
        if patterns.iter().any(|p| p == "*") {
            return self.push("(1 = 1)");
        }
        self.push("(1 = 0");
        for pattern in patterns.iter().filter(|p| !p.is_empty()) {
            self.push(" OR ").push(column).push(" = ").arg(pattern);
            self.push(" OR (")
                .push(column)
                .push(" >= ")
                .arg(format!("{pattern}/"))
                .push(" AND ")
                .push(column)
                .push(" < ")
                .arg(format!("{pattern}0"))
                .push(")");
        }
        self.push(")")
    }

    /// `(word is one of these)`, as `domain::access::any_matches` says.
    pub fn word_in(&mut self, column: &str, patterns: &[String]) -> &mut Self {
        if patterns.iter().any(|p| p == "*") {
            return self.push("(1 = 1)");
        }
        let named: Vec<&String> = patterns.iter().filter(|p| !p.is_empty()).collect();
        self.push(column).push(" IN ").list(named)
    }

    /// ` LIMIT n`, one row more than asked for, so that `Page::cut` sees whether there is more.
    pub fn limit(&mut self, limit: usize) -> &mut Self {
        self.push(" LIMIT ").arg(rows(limit) + 1)
    }
}

/// How many rows a page may have: what was asked for, between 1 and the most there may be.
pub(crate) fn page_limit(limit: usize) -> usize {
    limit.clamp(1, domain::page::MAX_LIMIT)
}

/// A count of rows as a bound value.
pub(crate) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1)
}

/// Takes their meaning from the characters that have one in `LIKE … ESCAPE '\'`.
pub(crate) fn like(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('%', r"\%")
        .replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bound_and_lists_are_never_malformed() {
        let mut q = Sql::new("SELECT 1 FROM t WHERE 1 = 1");
        q.among("a", ["x", "y"].into_iter())
            .among("b", std::iter::empty::<&str>())
            .words("s", "A_b c%")
            .limit(10);
        assert_eq!(
            q.text,
            r"SELECT 1 FROM t WHERE 1 = 1 AND a IN ($1, $2) AND s LIKE $3 ESCAPE '\' AND s LIKE $4 ESCAPE '\' LIMIT $5"
        );
        let Arg::Text(Some(pattern)) = &q.args[2] else {
            panic!("text")
        };
        assert_eq!(pattern, r"%a\_b%");
    }

    #[test]
    fn no_pattern_covers_nothing_and_a_star_everything() {
        let text = |f: &dyn Fn(&mut Sql)| {
            let mut q = Sql::new("");
            f(&mut q);
            q.text
        };
        assert_eq!(
            text(&|q| {
                q.unit_in("u", &[]);
            }),
            "(1 = 0)"
        );
        assert_eq!(
            text(&|q| {
                q.unit_in("u", &["a".into(), "*".into()]);
            }),
            "(1 = 1)"
        );
        assert_eq!(
            text(&|q| {
                q.unit_in("u", &["a".into()]);
            }),
            "(1 = 0 OR u = $1 OR (u >= $2 AND u < $3))"
        );
        assert_eq!(
            text(&|q| {
                q.word_in("e", &[]);
            }),
            "e IN (NULL)"
        );
    }
}
