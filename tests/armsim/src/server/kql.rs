//! The part of the Kusto query language that Resource Graph clients of this kind use:
//! `table | where … | project … | order by … | take n`.

use serde_json::Value;

/// A parsed query.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// The table, lower case.
    pub(super) table: String,
    pub(super) stages: Vec<Stage>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Stage {
    Where(Predicate),
    /// (name of the new column, where it comes from)
    Project(Vec<(String, Path)>),
    OrderBy(Vec<(Path, Direction)>),
    Take(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// A column, and the keys below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) column: String,
    pub(super) keys: Vec<String>,
}

impl Path {
    /// The value that the keys lead to; keys are case-sensitive, as in Kusto.
    pub(super) fn below<'a>(&self, column: &'a Value) -> &'a Value {
        self.keys.iter().try_fold(column, |value, key| value.get(key)).unwrap_or(&Value::Null)
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum Predicate {
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    IsNotEmpty(Path),
    /// Equal to one of the values, with or without regard to case.
    Among {
        path: Path,
        values: Vec<String>,
        folded: bool,
    },
}

impl Predicate {
    /// Whether a row passes; `value` gives the row's value of a path, as text.
    pub(super) fn holds(&self, value: &impl Fn(&Path) -> String) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(value)),
            Self::Or(any) => any.iter().any(|one| one.holds(value)),
            Self::Not(one) => !one.holds(value),
            Self::IsNotEmpty(path) => !value(path).is_empty(),
            Self::Among { path, values, folded } => {
                let told = value(path);
                values.iter().any(|wanted| match folded {
                    true => wanted.to_lowercase() == told.to_lowercase(),
                    false => *wanted == told,
                })
            }
        }
    }

    /// All paths that occur.
    pub(super) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::paths).collect(),
            Self::Not(one) => one.paths(),
            Self::IsNotEmpty(path) | Self::Among { path, .. } => vec![path],
        }
    }

    /// The lower-case types to which the predicate confines its rows, if it does.
    pub(super) fn types(&self) -> Option<Vec<String>> {
        match self {
            Self::Among { path, values, .. } if path.column == "type" && path.keys.is_empty() => {
                Some(values.iter().map(|value| value.to_lowercase()).collect())
            }
            Self::And(parts) => parts.iter().find_map(Self::types),
            _ => None,
        }
    }
}

/// Where and why a query does not parse.
#[derive(Debug, PartialEq)]
pub(super) struct ParserFailure {
    /// Characters from the start.
    pub(super) at: usize,
    pub(super) token: String,
    pub(super) expected: &'static str,
}

/// Parses the text.
pub(super) fn parse(text: &str) -> Result<Query, ParserFailure> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.chars().count() };
    let query = parser.query()?;
    if parser.peek().is_some() {
        return Err(parser.failure("|"));
    }
    Ok(query)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "=~", "!=", "!~", "|", "(", ")", ",", ".", "[", "]", "="];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ParserFailure> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        let run = |from: usize, of: &dyn Fn(char) -> bool| {
            from + chars[from..].iter().take_while(|c| of(**c)).count()
        };
        if first.is_whitespace() {
            at += 1;
        } else if first == '\'' || first == '"' {
            let end = run(at + 1, &|c| c != first);
            if end == chars.len() {
                return Err(ParserFailure { at, token: first.to_string(), expected: "closing quote" });
            }
            tokens.push((at, Token::Text(chars[at + 1..end].iter().collect())));
            at = end + 1;
        } else if first.is_ascii_digit() {
            let end = run(at, &|c| c.is_ascii_digit());
            tokens.push((at, Token::Number(chars[at..end].iter().collect())));
            at = end;
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let mut end = run(at, &|c| c.is_alphanumeric() || c == '_' || c == '$');
            let word: String = chars[at..end].iter().collect();
            // `in~` is one operator.
            if word == "in" && chars.get(end) == Some(&'~') {
                end += 1;
            }
            tokens.push((at, Token::Word(chars[at..end].iter().collect())));
            at = end;
        } else {
            let rest: String = chars[at..].iter().take(2).collect();
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or(ParserFailure { at, token: first.to_string(), expected: "operator" })?;
            tokens.push((at, Token::Sign(sign)));
            at += sign.len();
        }
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
}

type Parsed<T> = Result<T, ParserFailure>;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn failure(&self, expected: &'static str) -> ParserFailure {
        let (at, token) = match self.tokens.get(self.at) {
            Some((at, Token::Word(t) | Token::Text(t) | Token::Number(t))) => (*at, t.clone()),
            Some((at, Token::Sign(sign))) => (*at, (*sign).to_owned()),
            None => (self.end, "<EOF>".to_owned()),
        };
        ParserFailure { at, token, expected }
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn word_is(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, expected: &'static str) -> Parsed<String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.failure(expected)),
        }
    }

    fn query(&mut self) -> Parsed<Query> {
        let table = self.word("table name")?.to_lowercase();
        let mut stages = Vec::new();
        while self.sign("|") {
            stages.push(self.stage()?);
        }
        Ok(Query { table, stages })
    }

    fn stage(&mut self) -> Parsed<Stage> {
        if self.word_is("where") {
            Ok(Stage::Where(self.any()?))
        } else if self.word_is("project") {
            Ok(Stage::Project(self.listed(Self::projection)?))
        } else if self.word_is("order") || self.word_is("sort") {
            if !self.word_is("by") {
                return Err(self.failure("by"));
            }
            Ok(Stage::OrderBy(self.listed(Self::ordering)?))
        } else if self.word_is("take") || self.word_is("limit") {
            match self.peek() {
                Some(Token::Number(n)) => {
                    let count = n.parse().map_err(|_| self.failure("number"))?;
                    self.at += 1;
                    Ok(Stage::Take(count))
                }
                _ => Err(self.failure("number")),
            }
        } else {
            Err(self.failure("where, project, order by, take"))
        }
    }

    fn listed<T>(&mut self, one: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.sign(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn projection(&mut self) -> Parsed<(String, Path)> {
        let path = self.path()?;
        if path.keys.is_empty() && self.sign("=") {
            return Ok((path.column, self.path()?));
        }
        let name = path.keys.iter().fold(path.column.clone(), |name, key| format!("{name}_{key}"));
        Ok((name, path))
    }

    fn ordering(&mut self) -> Parsed<(Path, Direction)> {
        let path = self.path()?;
        // Kusto's default is descending.
        let ascending = self.word_is("asc");
        if !ascending {
            self.word_is("desc");
        }
        Ok((path, if ascending { Direction::Ascending } else { Direction::Descending }))
    }

    fn path(&mut self) -> Parsed<Path> {
        let column = self.word("column name")?;
        let mut keys = Vec::new();
        loop {
            if self.sign(".") {
                keys.push(self.word("property name")?);
            } else if self.sign("[") {
                match self.peek() {
                    Some(Token::Text(key)) => keys.push(key.clone()),
                    _ => return Err(self.failure("property name")),
                }
                self.at += 1;
                if !self.sign("]") {
                    return Err(self.failure("]"));
                }
            } else {
                return Ok(Path { column, keys });
            }
        }
    }

    fn any(&mut self) -> Parsed<Predicate> {
        let mut parts = vec![self.all()?];
        while self.word_is("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Predicate::Or(parts) })
    }

    fn all(&mut self) -> Parsed<Predicate> {
        let mut parts = vec![self.single()?];
        while self.word_is("and") {
            parts.push(self.single()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Predicate::And(parts) })
    }

    fn single(&mut self) -> Parsed<Predicate> {
        if self.sign("(") {
            let inner = self.any()?;
            return if self.sign(")") { Ok(inner) } else { Err(self.failure(")")) };
        }
        for (function, wanted) in [("isnotempty", true), ("isempty", false)] {
            if self.word_is(function) {
                let path = self.argument()?;
                let filled = Predicate::IsNotEmpty(path);
                return Ok(if wanted { filled } else { Predicate::Not(Box::new(filled)) });
            }
        }
        if self.word_is("not") {
            if !self.sign("(") {
                return Err(self.failure("("));
            }
            let inner = self.any()?;
            return if self.sign(")") { Ok(Predicate::Not(Box::new(inner))) } else { Err(self.failure(")")) };
        }
        self.comparison()
    }

    fn argument(&mut self) -> Parsed<Path> {
        if !self.sign("(") {
            return Err(self.failure("("));
        }
        let path = self.path()?;
        if self.sign(")") { Ok(path) } else { Err(self.failure(")")) }
    }

    fn comparison(&mut self) -> Parsed<Predicate> {
        let path = self.path()?;
        for (operator, folded, negated) in
            [("==", false, false), ("=~", true, false), ("!=", false, true), ("!~", true, true)]
        {
            if self.sign(operator) {
                let equal = Predicate::Among { path, values: vec![self.literal()?], folded };
                return Ok(if negated { Predicate::Not(Box::new(equal)) } else { equal });
            }
        }
        let folded = self.word_is("in~");
        if folded || self.word_is("in") {
            if !self.sign("(") {
                return Err(self.failure("("));
            }
            let values = self.listed(Self::literal)?;
            return if self.sign(")") {
                Ok(Predicate::Among { path, values, folded })
            } else {
                Err(self.failure(")"))
            };
        }
        Err(self.failure("==, =~, !=, !~, in, in~"))
    }

    fn literal(&mut self) -> Parsed<String> {
        let value = match self.peek() {
            Some(Token::Text(text) | Token::Number(text)) => text.clone(),
            Some(Token::Word(word)) if word == "true" || word == "false" => word.clone(),
            _ => return Err(self.failure("literal")),
        };
        self.at += 1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_query_parses() {
        let query = parse(
            "Resources | where type in~ ('a/b', 'c/d') and isnotempty(properties.privateEndpoint.id) \
             | project id, name, nic = properties['x'] | order by id asc",
        )
        .expect("the query is well formed");
        assert_eq!(query.table, "resources");
        let Stage::Where(condition) = &query.stages[0] else { panic!("the first stage is where") };
        assert_eq!(condition.types(), Some(vec!["a/b".to_owned(), "c/d".to_owned()]));
        let id = Path { column: "id".to_owned(), keys: Vec::new() };
        assert_eq!(query.stages[2], Stage::OrderBy(vec![(id, Direction::Ascending)]));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (text, at) in [
            ("resources | where type =~", 25),
            ("resources | summarize count()", 12),
            ("resources | where type =~ 'open", 26),
            ("resources | where type =~ 'a' 'b'", 30),
            ("", 0),
        ] {
            assert_eq!(parse(text).expect_err(text).at, at, "{text}");
        }
    }

    #[test]
    fn equality_with_a_tilde_ignores_case() {
        let parsed =
            parse("resources | where name =~ 'ABC' or name == 'x'").expect("the query is well formed");
        let Stage::Where(condition) = &parsed.stages[0] else { panic!("the stage is where") };
        assert!(condition.holds(&|_| "abc".to_owned()));
        assert!(!condition.holds(&|_| "X".to_owned()));
    }
}
