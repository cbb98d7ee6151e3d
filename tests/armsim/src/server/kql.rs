//! The part of the Kusto query language that Resource Graph clients of this kind use:
//! `table | where … | extend … | project … | order by … | take n | count | summarize count() by …`.
//!
//! What the stages do to rows is left to `graph`.

mod predicate;
mod tokens;

use predicate::LIKES;
pub(super) use predicate::Predicate;
use serde_json::{Value, json};
use tokens::{Token, tokens};

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
    /// The same, beside the columns that there are.
    Extend(Vec<(String, Path)>),
    OrderBy(Vec<(Path, Direction)>),
    Take(usize),
    /// `count`
    Count,
    /// `summarize NAME = count() by …`: the count's name and the columns of a group.
    Summarize(String, Vec<(String, Path)>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Direction {
    Ascending,
    Descending,
}

/// A column, the keys below it, and what is made of the value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) column: String,
    pub(super) keys: Vec<String>,
    pub(super) function: Option<Function>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    ToString,
    ToLower,
}

const FUNCTIONS: [(&str, Function); 2] = [("tostring", Function::ToString), ("tolower", Function::ToLower)];

impl Path {
    /// A column as it stands.
    pub(super) fn column(name: &str) -> Self {
        Self { column: name.to_owned(), keys: Vec::new(), function: None }
    }

    /// The value that the path makes of its column; keys are case-sensitive, as in Kusto.
    pub(super) fn of(&self, column: &Value) -> Value {
        match self.function {
            None => self.below(column).clone(),
            Some(_) => json!(self.text_of(column)),
        }
    }

    /// [`Self::of`] as text, which null has none of.
    pub(super) fn text_of(&self, column: &Value) -> String {
        let text = match self.below(column) {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if self.function == Some(Function::ToLower) { text.to_lowercase() } else { text }
    }

    fn below<'a>(&self, column: &'a Value) -> &'a Value {
        self.keys.iter().try_fold(column, |value, key| value.get(key)).unwrap_or(&Value::Null)
    }

    /// The name of the column that a projection without a name makes.
    fn own_name(&self) -> String {
        self.keys.iter().fold(self.column.clone(), |name, key| format!("{name}_{key}"))
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
        // "The resources table is the default if no table is specified."
        let bare = ["where", "project", "extend", "order", "sort", "summarize", "take", "limit"];
        let stage = |word: &String| bare.iter().any(|bare| word.eq_ignore_ascii_case(bare));
        let mut stages = Vec::new();
        let table = if matches!(self.peek(), Some(Token::Word(word)) if stage(word)) {
            stages.push(self.stage()?);
            "resources".to_owned()
        } else {
            self.word("table name")?.to_lowercase()
        };
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
        } else if self.word_is("extend") {
            Ok(Stage::Extend(self.listed(Self::projection)?))
        } else if self.word_is("count") {
            Ok(Stage::Count)
        } else if self.word_is("summarize") {
            self.summarize()
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
            Err(self.failure("where, extend, project, order by, take, count, summarize"))
        }
    }

    fn listed<T>(&mut self, one: fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut all = vec![one(self)?];
        while self.sign(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// `count()` is the one aggregate that is served.
    fn summarize(&mut self) -> Parsed<Stage> {
        let mut name = "count_".to_owned();
        if matches!(self.tokens.get(self.at + 1), Some((_, Token::Sign("=")))) {
            name = self.word("column name")?;
            self.at += 1;
        }
        if !self.word_is("count") {
            return Err(self.failure("count"));
        }
        for sign in ["(", ")"] {
            if !self.sign(sign) {
                return Err(self.failure(sign));
            }
        }
        let by = if self.word_is("by") { self.listed(Self::projection)? } else { Vec::new() };
        Ok(Stage::Summarize(name, by))
    }

    fn projection(&mut self) -> Parsed<(String, Path)> {
        let path = self.path()?;
        if path.keys.is_empty() && path.function.is_none() && self.sign("=") {
            return Ok((path.column, self.path()?));
        }
        Ok((path.own_name(), path))
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
        let function = FUNCTIONS.iter().find(|(name, _)| column.eq_ignore_ascii_case(name));
        if let (Some((_, function)), Some(Token::Sign("("))) = (function, self.peek()) {
            return Ok(Path { function: Some(*function), ..self.argument()? });
        }
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
                return Ok(Path { column, keys, function: None });
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
                let values = vec![self.literal()?];
                return Ok(Predicate::Among { path, values, folded }.negated(negated));
            }
        }
        let negated = self.sign("!");
        if let Some((_, place)) = LIKES.iter().find(|(name, _)| self.word_is(name)) {
            let text = self.literal()?;
            return Ok(Predicate::Like { path, place: *place, text }.negated(negated));
        }
        let folded = self.word_is("in~");
        if folded || self.word_is("in") {
            if !self.sign("(") {
                return Err(self.failure("("));
            }
            let values = self.listed(Self::literal)?;
            return if self.sign(")") {
                Ok(Predicate::Among { path, values, folded }.negated(negated))
            } else {
                Err(self.failure(")"))
            };
        }
        Err(self.failure("==, =~, !=, !~, in, in~, contains, startswith, endswith"))
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
        assert_eq!(query.stages[2], Stage::OrderBy(vec![(Path::column("id"), Direction::Ascending)]));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (text, at) in [
            ("resources | where type =~", 25),
            ("resources | summarize max(x)", 22),
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
