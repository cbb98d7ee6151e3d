//! What a module defines, and what its rules refer to: the ground on which the load gate refuses recursion,
//! unknown functions and impure builtins.
//!
//! The engine finds unknown functions and wrong arities only when the rule runs, and a recursive function
//! overflows the stack of the whole process. So every expression of a module is visited here before anything
//! is evaluated. The matches name every variant: a new kind of expression is a compile error, never a gap.
//! Local variables are not told from rules of the same name; that refuses a few harmless programs and
//! never admits a harmful one.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Module, Query, Ref, Rule, RuleAssign, RuleBody, RuleHead, Span};

/// What a module defines and refers to.
pub(super) struct Outline {
    pub(super) package: Vec<String>,
    pub(super) package_line: usize,
    pub(super) rules: Vec<Definition>,
    /// `data` paths that are imported, with their lines.
    pub(super) imports: Vec<(Vec<String>, usize)>,
    /// The names that imports bring.
    pub(super) aliases: BTreeSet<String>,
}

/// One definition of a rule; a rule may have several.
pub(super) struct Definition {
    /// The path below the package, as far as it is fixed; never empty.
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// The number of arguments; none if it is no function.
    pub(super) arguments: Option<usize>,
    pub(super) references: Vec<Reference>,
    /// What its head would be undefined with, if that is undefined; see [`Head`].
    pub(super) head: Vec<Head>,
    /// Whether its value, where it has one, is always `true`.
    pub(super) only_true: bool,
}

/// A part of a rule's head that may be undefined. Where the body loops, the engine then silently drops what
/// other rounds gave, so such heads are refused; what is bound to a variable in the body is safe.
pub(super) struct Head {
    pub(super) line: usize,
    pub(super) text: String,
    /// A bare name is harmless if it is a local variable, but not if it is a rule.
    pub(super) name: bool,
}

/// What an expression refers to.
pub(super) struct Reference {
    pub(super) line: usize,
    pub(super) target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A path below `data`, as far as it is fixed. `exact` if nothing of it is computed.
    Data { path: Vec<String> },
    /// A path below `input`, as far as it is fixed.
    Input { path: Vec<String> },
    /// A name that is a rule of the own package, or a local variable.
    Name { name: String },
    /// A call of a function, by the path as written after resolving imports.
    Call { callee: Callee, arguments: usize, format: Option<String> },
    /// `with` replaces a rule or function, or some of `input`, by what `by` refer to.
    Replaced { replaced: Option<Callee>, by: Vec<Target> },
}

/// A function, or what `with` replaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Callee {
    /// A path below `data`.
    Data(Vec<String>),
    /// A name of the own package, or a builtin.
    Name(String),
}

type Complaint = (usize, String);

/// Reads a module.
pub(super) fn outline(module: &Module) -> Result<Outline, Complaint> {
    let (package, whole) = fixed_path(&module.package.refr);
    if !whole || package.is_empty() {
        return Err((line(&module.package.span), "the package's name must be fixed".to_owned()));
    }
    let mut imports = Vec::new();
    let mut aliases = BTreeMap::new();
    for import in &module.imports {
        let (path, whole) = fixed_path(&import.refr);
        let at = line(&import.span);
        if !whole {
            return Err((at, "an import must be a fixed path".to_owned()));
        }
        let alias = match &import.r#as {
            Some(alias) => alias.text().to_owned(),
            None => path.last().cloned().unwrap_or_default(),
        };
        match path.first().map(String::as_str) {
            Some("data") if path.len() > 1 => {
                imports.push((path.iter().skip(1).cloned().collect(), at));
                aliases.insert(alias, path);
            }
            Some("input") => {
                aliases.insert(alias, path);
            }
            Some("rego" | "future") => {}
            _ => return Err((at, "only paths below data and input can be imported".to_owned())),
        }
    }
    let mut rules = Vec::new();
    for rule in &module.policy {
        rules.push(definition(rule, &aliases)?);
    }
    let aliases = aliases.into_keys().collect();
    Ok(Outline { package, package_line: line(&module.package.span), rules, imports, aliases })
}

fn definition(rule: &Rule, aliases: &BTreeMap<String, Vec<String>>) -> Result<Definition, Complaint> {
    let mut visitor = Visitor { aliases, references: Vec::new() };
    let mut fragile = Vec::new();
    let mut only_true = false;
    let (refr, arguments, at) = match rule {
        Rule::Spec { span, head, bodies } => {
            let (refr, arguments) = visitor.head(head);
            for body in bodies {
                visitor.body(body);
            }
            only_true = is_only_true(head, bodies);
            if arguments.is_none() && bodies.iter().any(|body| !body.query.stmts.is_empty()) {
                fragile_head(head, bodies, &mut fragile);
            }
            (refr, arguments, span)
        }
        Rule::Default { span, refr, args, op: _, value } => {
            visitor.exprs(args);
            visitor.expr(value);
            (refr, (!args.is_empty()).then_some(args.len()), span)
        }
    };
    let at = line(at);
    let (path, _) = fixed_path(refr);
    if path.is_empty() {
        return Err((at, "a rule must begin with a name".to_owned()));
    }
    visitor.indices(refr);
    Ok(Definition { path, line: at, arguments, references: visitor.references, head: fragile, only_true })
}

fn is_only_true(head: &RuleHead, bodies: &[RuleBody]) -> bool {
    let RuleHead::Compr { assign, .. } = head else { return false };
    let assigns = bodies.iter().filter_map(|body| body.assign.as_ref()).chain(assign);
    let is_true = |assign: &RuleAssign| matches!(assign.value.as_ref(), Expr::Bool { value, .. } if value.as_bool().is_ok_and(|value| *value));
    assigns.into_iter().all(is_true)
}

fn fragile_head(head: &RuleHead, bodies: &[RuleBody], fragile: &mut Vec<Head>) {
    let (refr, value) = match head {
        RuleHead::Compr { refr, assign, .. } => (refr, assign.as_ref().map(|assign| &assign.value)),
        RuleHead::Set { refr, key, .. } => (refr, key.as_ref()),
        RuleHead::Func { .. } => return,
    };
    let mut at = refr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = at.as_ref() {
        if let Expr::RefBrack { index, .. } = at.as_ref() {
            fragile_parts(index, fragile);
        }
        at = refr;
    }
    let others = bodies.iter().filter_map(|body| body.assign.as_ref()).map(|assign| &assign.value);
    for value in value.into_iter().chain(others) {
        fragile_parts(value, fragile);
    }
}

/// The parts of an expression that may be undefined though its variables are bound.
fn fragile_parts(expr: &Ref<Expr>, fragile: &mut Vec<Head>) {
    let span = expr.span();
    let mut note = |name| fragile.push(Head { line: line(span), text: span.text().to_owned(), name });
    match expr.as_ref() {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        // A comprehension is empty where its term is undefined, never undefined itself.
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => {}
        Expr::Var { .. } => note(true),
        Expr::RefDot { .. } | Expr::RefBrack { .. } | Expr::AssignExpr { .. } => note(false),
        Expr::Call { fcn, params, .. } => {
            if ["concat", "count", "sort", "sprintf"].contains(&fcn.span().text()) {
                params.iter().for_each(|param| fragile_parts(param, fragile));
            } else {
                note(false);
            }
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().for_each(|item| fragile_parts(item, fragile));
        }
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                fragile_parts(key, fragile);
                fragile_parts(value, fragile);
            }
        }
        Expr::UnaryExpr { expr, .. } => fragile_parts(expr, fragile),
        Expr::BinExpr { lhs, rhs, .. } | Expr::BoolExpr { lhs, rhs, .. } | Expr::ArithExpr { lhs, rhs, .. } => {
            fragile_parts(lhs, fragile);
            fragile_parts(rhs, fragile);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|key| fragile_parts(key, fragile));
            fragile_parts(value, fragile);
            fragile_parts(collection, fragile);
        }
    }
}

struct Visitor<'a> {
    aliases: &'a BTreeMap<String, Vec<String>>,
    references: Vec<Reference>,
}

impl Visitor<'_> {
    fn head<'r>(&mut self, head: &'r RuleHead) -> (&'r Ref<Expr>, Option<usize>) {
        match head {
            RuleHead::Compr { span: _, refr, assign } => {
                self.assign(assign.as_ref());
                (refr, None)
            }
            RuleHead::Set { span: _, refr, key } => {
                if let Some(key) = key {
                    self.expr(key);
                }
                (refr, None)
            }
            RuleHead::Func { span: _, refr, args, assign } => {
                self.exprs(args);
                self.assign(assign.as_ref());
                (refr, Some(args.len()))
            }
        }
    }

    fn assign(&mut self, assign: Option<&RuleAssign>) {
        if let Some(assign) = assign {
            self.expr(&assign.value);
        }
    }

    fn body(&mut self, body: &RuleBody) {
        self.assign(body.assign.as_ref());
        self.query(&body.query);
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { span: _, vars: _ } => {}
                Literal::SomeIn { span: _, key, value, collection } => {
                    self.exprs(key);
                    self.expr(value);
                    self.expr(collection);
                }
                Literal::Expr { span: _, expr } | Literal::NotExpr { span: _, expr } => self.expr(expr),
                Literal::Every { span: _, key: _, value: _, domain, query } => {
                    self.expr(domain);
                    self.query(query);
                }
            }
            for with in &statement.with_mods {
                let mut inner = Visitor { aliases: self.aliases, references: Vec::new() };
                inner.expr(&with.r#as);
                let by = inner.references.iter().map(|reference| reference.target.clone()).collect();
                self.references.append(&mut inner.references);
                self.indices(&with.refr);
                let replaced = self.callee(&with.refr);
                self.note(&with.span, Target::Replaced { replaced, by });
            }
        }
    }

    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Ref<Expr>>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Ref<Expr>) {
        match expr.as_ref() {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.exprs(items),
            Expr::Object { fields, .. } => {
                for (_, key, value) in fields {
                    self.expr(key);
                    self.expr(value);
                }
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expr(key);
                self.expr(value);
                self.query(query);
            }
            Expr::Call { span, fcn, params, .. } => self.call(span, fcn, params),
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                self.exprs(key);
                self.expr(value);
                self.expr(collection);
            }
        }
    }

    /// Notes what a chain of dots and brackets refers to, and visits what its brackets compute.
    fn reference(&mut self, expr: &Ref<Expr>) {
        self.indices(expr);
        let (path, _) = fixed_path(expr);
        let path = self.resolved(path);
        let rest = || path.iter().skip(1).cloned().collect();
        let target = match path.first().map(String::as_str) {
            Some("data") => Target::Data { path: rest() },
            Some("input") => Target::Input { path: rest() },
            Some(name) => Target::Name { name: name.to_owned() },
            None => return,
        };
        self.note(expr.span(), target);
    }

    fn call(&mut self, span: &Span, function: &Ref<Expr>, arguments: &[Ref<Expr>]) {
        self.exprs(arguments);
        self.indices(function);
        let format = match arguments.first().map(AsRef::as_ref) {
            Some(Expr::String { value, .. } | Expr::RawString { value, .. }) => {
                value.as_string().ok().map(|text| text.to_string())
            }
            _ => None,
        };
        let callee = self.callee(function).unwrap_or_else(|| Callee::Name(function.span().text().to_owned()));
        self.note(span, Target::Call { callee, arguments: arguments.len(), format });
    }

    /// The function that an expression names; none for a path below `input`.
    fn callee(&self, function: &Ref<Expr>) -> Option<Callee> {
        let (path, _) = fixed_path(function);
        let path = self.resolved(path);
        match path.first().map(String::as_str) {
            Some("data") => Some(Callee::Data(path.into_iter().skip(1).collect())),
            Some("input") | None => None,
            Some(_) => Some(Callee::Name(path.join("."))),
        }
    }

    /// A path with the import behind its first name put in its place.
    fn resolved(&self, path: Vec<String>) -> Vec<String> {
        match path.first().and_then(|first| self.aliases.get(first)) {
            Some(imported) => imported.iter().cloned().chain(path.into_iter().skip(1)).collect(),
            None => path,
        }
    }

    /// Visits the brackets of a chain, and what it starts with if that is no name.
    fn indices(&mut self, expr: &Ref<Expr>) {
        match expr.as_ref() {
            Expr::RefDot { refr, .. } => self.indices(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.expr(index);
                self.indices(refr);
            }
            Expr::Var { .. } => {}
            _ => self.expr(expr),
        }
    }

    fn note(&mut self, span: &Span, target: Target) {
        self.references.push(Reference { line: line(span), target });
    }
}

/// The fixed beginning of a chain of dots and brackets, and whether that is all of it. Empty if the chain
/// does not start with a name.
fn fixed_path(expr: &Ref<Expr>) -> (Vec<String>, bool) {
    match expr.as_ref() {
        Expr::Var { span, .. } => (vec![span.text().to_owned()], true),
        Expr::RefDot { refr, field, .. } => {
            let (mut path, whole) = fixed_path(refr);
            let extend = whole && !path.is_empty();
            if extend {
                path.push(field.0.text().to_owned());
            }
            (path, extend)
        }
        Expr::RefBrack { refr, index, .. } => {
            let (mut path, whole) = fixed_path(refr);
            match index.as_ref() {
                Expr::String { value, .. } | Expr::RawString { value, .. } if whole && !path.is_empty() => {
                    path.extend(value.as_string().ok().map(|text| text.to_string()));
                    (path, true)
                }
                _ => (path, false),
            }
        }
        _ => (Vec::new(), false),
    }
}

fn line(span: &Span) -> usize {
    usize::try_from(span.line).unwrap_or(usize::MAX)
}
