//! The flows that policies ask about, as data: `policies/flows.yaml`.
//!
//! A question is written once, with placeholders for what differs from subject to subject. A policy author adds
//! one there, and finds its answer in the subject's document under the question's name.

use std::collections::BTreeMap;

use super::flow::Flow;
use super::protocol::Protocols;
use super::term::{PortRange, Term};
use crate::inventory::security::Direction;
use crate::inventory::{Code, Known, Reason};
use crate::yaml::{self, Node, Problem};

/// The questions that are compiled in.
pub const SHIPPED_FLOWS: &str = include_str!("../../../policies/flows.yaml");

/// What a placeholder can stand for.
const PLACEHOLDERS: &[&str] =
    &["callers", "scoring_addresses", "scoring_ports", "registry_region", "workspace_region"];

/// What the placeholders stand for at one subject: texts, or why they are not known.
pub type Parameters = BTreeMap<&'static str, Known<Vec<String>>>;

/// The questions of a file, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowQuestions(BTreeMap<String, FlowQuestion>);

/// A question about flows, with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowQuestion {
    /// Its name, by which policies find the answer.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Which way.
    pub direction: Direction,
    /// What it speaks.
    pub protocols: Protocols,
    remote: Vec<String>,
    local: Option<Vec<String>>,
    source_ports: Vec<String>,
    ports: Vec<String>,
}

impl FlowQuestions {
    /// Reads a text; gives every problem at once, each with its line.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let (questions, problems) = yaml::read(text, |node| {
            let mut questions = Self::default();
            let Some(mut table) = node.table() else { return questions };
            if let Some(flows) = table.take("flows").and_then(|flows| flows.table()) {
                for (name, node) in flows.into_entries() {
                    let question = question(&name, &node);
                    if questions.0.contains_key(&name) {
                        node.problem(format!("`{name}` is asked twice"));
                    }
                    questions.0.extend(question.map(|question| (name, question)));
                }
            } else {
                node.problem("`flows` must hold questions by their names");
            }
            table.finish();
            questions
        });
        if problems.is_empty() { Ok(questions.unwrap_or_default()) } else { Err(problems) }
    }

    /// The question of this name.
    pub fn find(&self, name: &str) -> Option<&FlowQuestion> {
        self.0.get(name)
    }

    /// Every question, by name.
    pub fn iter(&self) -> impl Iterator<Item = &FlowQuestion> {
        self.0.values()
    }
}

impl FlowQuestion {
    /// The question at one subject, or why it cannot be asked there.
    pub fn flow(&self, parameters: &Parameters) -> Known<Flow> {
        Ok(Flow {
            direction: self.direction,
            remote: filled(&self.remote, parameters)?,
            local: self.local.as_ref().map(|local| filled(local, parameters)).transpose()?,
            source_ports: filled(&self.source_ports, parameters)?,
            ports: filled(&self.ports, parameters)?,
            protocols: self.protocols,
        })
    }
}

fn question(name: &str, node: &Node<'_>) -> Option<FlowQuestion> {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !letters || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        node.problem(format!("`{name}`: a question's name is snake_case"));
    }
    let mut table = node.table()?;
    let mut missing = |key: &'static str| {
        let found = table.take(key);
        if found.is_none() {
            node.problem(format!("`{key}` is missing"));
        }
        found
    };
    let about = missing("about").and_then(|node| node.string());
    let words = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
    let direction = missing("direction").and_then(|node| node.one_of(&words));
    let remote = missing("remote").map(|node| texts::<Term>(&node));
    let ports = missing("ports").map(|node| texts::<PortRange>(&node));
    let protocols = missing("protocol").and_then(|node| {
        let text = node.string()?;
        let named = Protocols::named(&text);
        if named.is_none() {
            node.problem(format!("`{text}` is not known; use one of: tcp, udp, icmp, esp, ah, any"));
        }
        named
    });
    let local = table.take("local").map(|node| texts::<Term>(&node));
    let source_ports = table.take("source_ports").map(|node| texts::<PortRange>(&node));
    table.finish();
    Some(FlowQuestion {
        name: name.to_owned(),
        about: about?,
        direction: direction?,
        protocols: protocols?,
        remote: remote?,
        local,
        source_ports: source_ports.unwrap_or_else(|| vec!["*".to_owned()]),
        ports: ports?,
    })
}

/// A list of texts that will be `T` once their placeholders are filled.
fn texts<T: std::str::FromStr>(node: &Node<'_>) -> Vec<String>
where
    T::Err: std::fmt::Display,
{
    let texts = node.list_of(|node| {
        let text = node.string()?;
        match placeholder(&text) {
            Some(name) if !PLACEHOLDERS.contains(&name) => {
                node.problem(format!("`{{{name}}}` is not known; use one of: {}", PLACEHOLDERS.join(", ")));
            }
            Some(_) => {}
            None => {
                if let Err(error) = text.parse::<T>() {
                    node.problem(format!("`{text}`: {error}"));
                }
            }
        }
        Some(text)
    });
    if texts.is_empty() {
        node.problem("must not be empty");
    }
    texts
}

/// The name between braces.
fn placeholder(text: &str) -> Option<&str> {
    Some(text.split_once('{')?.1.split_once('}')?.0)
}

fn filled<T: std::str::FromStr>(texts: &[String], parameters: &Parameters) -> Known<Vec<T>>
where
    T::Err: std::fmt::Display,
{
    let mut filled = Vec::new();
    for text in texts {
        let values = match placeholder(text) {
            None => vec![text.clone()],
            Some(name) => {
                let missing =
                    || Reason::new(Code::NotTold, format!("nothing says what `{{{name}}}` is here"));
                let values = parameters.get(name).cloned().unwrap_or_else(|| Err(missing()))?;
                values.iter().map(|value| text.replace(&format!("{{{name}}}"), value)).collect()
            }
        };
        for value in values {
            let malformed = |error: T::Err| Reason::new(Code::Malformed, format!("`{value}`: {error}"));
            filled.push(value.parse().map_err(malformed)?);
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_questions_are_sound() {
        let questions = FlowQuestions::read(SHIPPED_FLOWS).expect("sound");
        let names: Vec<&str> = questions.iter().map(|question| question.name.as_str()).collect();
        let expected = [
            "default_internet_outbound",
            "default_vnet_outbound",
            "internet_https_outbound",
            "registry_outbound",
            "scoring_inbound",
            "vnet_https_outbound",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn placeholders_are_filled() {
        let questions = FlowQuestions::read(SHIPPED_FLOWS).expect("sound");
        let question = questions.find("registry_outbound").expect("shipped");
        let region = |region: &str| Parameters::from([("registry_region", Ok(vec![region.to_owned()]))]);
        let flow = question.flow(&region("westeurope")).expect("filled");
        assert_eq!(flow.remote, [Term::Tag("azurecontainerregistry.westeurope".to_owned())]);
        assert_eq!(flow.ports, [PortRange { first: 443, last: 443 }]);
        assert_eq!(question.flow(&Parameters::new()).map_err(|reason| reason.code), Err(Code::NotTold));
        assert_eq!(question.flow(&region("west europe")).map_err(|reason| reason.code), Err(Code::Malformed));
        let undeclared = Reason::new(Code::Undeclared, "callers");
        let scoring = questions.find("scoring_inbound").expect("shipped");
        assert_eq!(scoring.flow(&Parameters::from([("callers", Err(undeclared.clone()))])), Err(undeclared));
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "\
flows:
  Bad-Name:
    about: x
    direction: sideways
    remote: [10.0.0.0/33, \"{nobody}\", Internet]
    ports: [\"80-70\"]
    protocol: gre
    colour: blue
  empty:
    about: y
    direction: inbound
    remote: []
";
        let problems = FlowQuestions::read(text).expect_err("problems");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            "2: flows.Bad-Name: `Bad-Name`: a question's name is snake_case",
            "4: flows.Bad-Name.direction: `sideways` is not known; use one of: inbound, outbound",
            "5: flows.Bad-Name.remote[0]: `10.0.0.0/33`: neither an address, a prefix, nor the name of a service tag",
            "5: flows.Bad-Name.remote[1]: `{nobody}` is not known; use one of: callers, scoring_addresses, scoring_ports, registry_region, workspace_region",
            "6: flows.Bad-Name.ports[0]: `80-70`: neither a port, a range such as 80-90, nor `*`",
            "7: flows.Bad-Name.protocol: `gre` is not known; use one of: tcp, udp, icmp, esp, ah, any",
            "8: unknown key `colour` in `flows.Bad-Name`; known here: about, direction, remote, ports, protocol, local, source_ports",
            "9: flows.empty: `ports` is missing",
            "9: flows.empty: `protocol` is missing",
            "12: flows.empty.remote: must not be empty",
        ];
        assert_eq!(told, expected);
    }
}
