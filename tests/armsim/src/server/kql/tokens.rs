//! The words of a query. What they mean together is left to the parser.

use super::ParserFailure;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "=~", "!=", "!~", "!", "|", "(", ")", ",", ".", "[", "]", "="];

/// The words, with the place of each in characters.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ParserFailure> {
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
