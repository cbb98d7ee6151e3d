//! What the reader asked for: the query string of the form, taken as far as it can be understood.

use maud::{Markup, html};
use url::form_urlencoded::{Serializer, parse};

use crate::findings::Status;
use crate::severity::Severity;

use super::Moment;
use super::text::said;

/// The longest text that is looked for.
const LONGEST: usize = 200;

/// Which results are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) status: Wanted,
    pub(super) severity: Option<Severity>,
    pub(super) policy: String,
    pub(super) subscription: String,
    pub(super) text: String,
    /// The page of the list of findings, and of the list of workspaces.
    pub(super) page: usize,
    pub(super) places: usize,
}

/// Which statuses are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What somebody should look at: fail and unknown.
    #[default]
    Attention,
    /// Open findings that the last sweep could not check.
    Stale,
    /// Findings that are over, as long as the ledger keeps them.
    Resolved,
    /// One status.
    Only(Status),
    /// All of them.
    All,
}

impl Wanted {
    const CHOICES: [Wanted; 9] = [
        Wanted::Attention,
        Wanted::Only(Status::Fail),
        Wanted::Stale,
        Wanted::Only(Status::Unknown),
        Wanted::Only(Status::Waived),
        Wanted::Only(Status::Pass),
        Wanted::Only(Status::NotApplicable),
        Wanted::All,
        Wanted::Resolved,
    ];

    fn name(self) -> &'static str {
        match self {
            Wanted::Attention => "",
            Wanted::Stale => "stale",
            Wanted::Resolved => "resolved",
            Wanted::Only(status) => status.name(),
            Wanted::All => "all",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Wanted::Attention => "fail or unknown",
            Wanted::Stale => "stale",
            Wanted::Resolved => "resolved",
            Wanted::Only(status) => said(status),
            Wanted::All => "any",
        }
    }

    /// Whether results of this status may be shown.
    pub(super) fn takes(self, status: Status) -> bool {
        match self {
            Wanted::Attention => matches!(status, Status::Fail | Status::Unknown),
            Wanted::Stale => status == Status::Fail,
            Wanted::Resolved => false,
            Wanted::Only(only) => only == status,
            Wanted::All => true,
        }
    }
}

impl Filter {
    /// Reads a query string. What it does not know is left out, as if it had not been asked for.
    pub(super) fn read(query: Option<&str>) -> Self {
        let mut filter = Self::default();
        for (key, value) in parse(query.unwrap_or_default().as_bytes()) {
            let text = || value.trim().chars().take(LONGEST).collect::<String>();
            match &*key {
                "status" => {
                    let choice = Wanted::CHOICES.into_iter().find(|choice| choice.name() == value);
                    filter.status = choice.unwrap_or_default();
                }
                "severity" => filter.severity = value.parse().ok(),
                "policy" => filter.policy = text(),
                "subscription" => filter.subscription = text().to_lowercase(),
                "q" => filter.text = text(),
                "page" => filter.page = value.parse().unwrap_or_default(),
                "places" => filter.places = value.parse().unwrap_or_default(),
                _ => {}
            }
        }
        filter
    }

    /// Whether it leaves anything out that is shown without it.
    pub(super) fn narrows(&self) -> bool {
        Self { page: 0, places: 0, ..self.clone() } != Self::default()
    }

    /// The address of this view.
    pub(super) fn link(&self) -> String {
        let mut query = Serializer::new(String::new());
        let texts = [
            ("status", self.status.name()),
            ("severity", self.severity.map(Severity::name).unwrap_or_default()),
            ("policy", &self.policy),
            ("subscription", &self.subscription),
            ("q", &self.text),
        ];
        for (key, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(key, value);
        }
        for (key, page) in
            [("page", self.page), ("places", self.places)].into_iter().filter(|(_, page)| *page > 1)
        {
            query.append_pair(key, &page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => "/".to_owned(),
            query => format!("/?{query}"),
        }
    }

    /// The form that asks for it.
    pub(super) fn form(&self, moment: &Moment) -> Markup {
        let policies = moment.view().policies.iter().map(|policy| policy.id.as_str());
        let mut policies: Vec<&str> = policies.collect();
        policies.sort_unstable();
        let names = moment.swept().map(|swept| &swept.report.subscriptions);
        let subscriptions: Vec<(&str, &str)> =
            names.into_iter().flatten().map(|(guid, name)| (guid.as_str(), name.as_str())).collect();
        html! {
            form.filter method="get" action="/" role="search" aria-label="Filter findings" {
                div {
                    label for="status" { "Status" }
                    select #status name="status" {
                        @for choice in Wanted::CHOICES {
                            option value=(choice.name()) selected[choice == self.status] { (choice.label()) }
                        }
                    }
                }
                div {
                    label for="severity" { "Severity" }
                    select #severity name="severity" {
                        option value="" { "any" }
                        @for severity in Severity::WORST_FIRST {
                            option value=(severity.name()) selected[Some(severity) == self.severity] { (severity.name()) }
                        }
                    }
                }
                div {
                    label for="policy" { "Policy" }
                    select #policy name="policy" {
                        option value="" { "any" }
                        // What nobody has heard of is asked for all the same, and must be seen to be.
                        @if !self.policy.is_empty() && !policies.contains(&self.policy.as_str()) {
                            option value=(self.policy) selected { (super::text::shortened(&self.policy, 40)) }
                        }
                        @for id in policies {
                            option value=(id) selected[id == self.policy] { (id) }
                        }
                    }
                }
                div {
                    label for="subscription" { "Subscription" }
                    select #subscription name="subscription" {
                        option value="" { "any" }
                        @if !self.subscription.is_empty() && !subscriptions.iter().any(|(guid, _)| *guid == self.subscription) {
                            option value=(self.subscription) selected { (super::text::shortened(&self.subscription, 40)) }
                        }
                        @for (guid, name) in subscriptions {
                            option value=(guid) selected[guid == self.subscription] {
                                (super::text::shortened(if name.is_empty() { guid } else { name }, 40))
                            }
                        }
                    }
                }
                div.grows {
                    label for="q" { "Text" }
                    input #q name="q" type="search" value=(self.text) maxlength=(LONGEST);
                }
                div.buttons {
                    button type="submit" { "Show" }
                    @if self.narrows() { a href="/" { "Show everything" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_reads_back_as_the_same_filter() {
        let filter = Filter {
            status: Wanted::Only(Status::NotApplicable),
            severity: Some(Severity::High),
            policy: "AKS-003".to_owned(),
            subscription: "aa".to_owned(),
            text: "a&b=c <\" ü".to_owned(),
            page: 3,
            places: 2,
        };
        let link = filter.link();
        assert_eq!(Filter::read(link.split_once('?').map(|(_, query)| query)), filter, "{link}");
        assert_eq!(Filter::default().link(), "/");
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let odd = Filter::read(Some("status=<b>&severity=worst&page=-1&page=%ff&x=y&&=&q"));
        assert_eq!(odd, Filter::default());
    }
}
