//! The catalogue against the portal's table of contents: no page is left out, none is made up.
#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use pintle::config::embedded;
use pintle::policy::Policies;
use pintle::route::{Catalogue, Kind};
use pintle::yaml::Faults;

/// The contents page as it was copied, with the page of another system that was pasted at its end.
const CONTENTS: &str = include_str!("data/portal-contents.txt");

/// The pasted page has no line in the tree: its title stands in its text, in GBK.
const PASTED: &str = "查询节点已读未读";

/// Families whose entries bear another first name, since the calls serve more than one family.
const FIRST_NAMES: &[(&str, &[&str])] = &[("cloud", &["auth", "robot", "call", "cloud"])];

fn catalogue() -> Catalogue {
    let faults = Faults::new();
    let policies = Policies::read(&embedded::policies(), &faults);
    let catalogue = Catalogue::read(&embedded::routes(), &policies, &faults);
    let told: Vec<String> = faults
        .into_sorted()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(told, [""; 0], "the embedded files are good");
    catalogue
}

/// The pages of the contents, as breadcrumbs.
fn contents() -> Vec<String> {
    let mut pages: Vec<Vec<String>> = Vec::new();
    let mut has_children: Vec<bool> = Vec::new();
    let mut path: Vec<(usize, usize)> = Vec::new();
    for line in CONTENTS
        .lines()
        .take_while(|line| !line.contains("{\\rtf1"))
    {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        // The name of the site, and the method of the page above.
        let Some(title) = line.trim().strip_prefix("• ") else {
            assert!(
                ["AIRUDDER API", "POST", ""].contains(&line.trim()),
                "{line:?} is not understood"
            );
            continue;
        };
        path.retain(|(other, _)| *other < indent);
        let mut breadcrumb = path
            .last()
            .map_or(Vec::new(), |(_, parent)| pages[*parent].clone());
        if let Some((_, parent)) = path.last() {
            has_children[*parent] = true;
        }
        breadcrumb.push(title.trim().to_owned());
        path.push((indent, pages.len()));
        pages.push(breadcrumb);
        has_children.push(false);
    }
    pages
        .iter()
        .zip(has_children)
        .filter(|(_, has_children)| !has_children)
        .map(|(page, _)| page.join(" / "))
        .chain([PASTED.to_owned()])
        .collect()
}

/// Each page of the catalogue, with the titles of what carries it and a name for messages.
fn carried(catalogue: &Catalogue) -> Vec<(&str, &[String], String)> {
    let entries = catalogue.entries().iter().flat_map(|entry| {
        entry.pages.iter().map(|page| {
            (
                page.as_str(),
                entry.titles.as_slice(),
                format!("{} ({})", entry.name, entry.line),
            )
        })
    });
    let guides = catalogue.guides().iter().flat_map(|guide| {
        guide.pages.iter().map(|page| {
            (
                page.as_str(),
                guide.titles.as_slice(),
                format!("a guide for {}", guide.carried_by),
            )
        })
    });
    entries.chain(guides).collect()
}

#[test]
fn the_contents_are_read_whole() {
    let pages = contents();
    let bullets = CONTENTS
        .lines()
        .filter(|line| line.trim_start().starts_with("• "))
        .count();
    assert!(
        pages.len() > 300 && pages.len() <= bullets,
        "{} of {bullets}",
        pages.len()
    );
    for page in [
        "API 文档介绍",
        "鉴权方法 / 验证并获取令牌",
        "Workflow / Webhooks of the Info of Predictive Dialer System / Webhook of Predictive Dialer Task Status Changes",
        "Chatbot / 华为 / webhook / 结束会话",
        "Inbound Callback / Notification after the Call Ends",
        PASTED,
    ] {
        assert!(
            pages.iter().any(|other| other == page),
            "{page} is not among the pages"
        );
    }
    let first = r"'b2'e9'd1'af'bd'da'b5'e3'd2'd1'b6'c1'ce'b4'b6'c1";
    assert!(
        CONTENTS.contains(first),
        "the pasted page begins with its title: {PASTED}"
    );
}

#[test]
fn every_page_of_the_portal_has_an_entry() {
    let catalogue = catalogue();
    let carried = carried(&catalogue);
    let listed: BTreeSet<&str> = carried.iter().map(|(page, ..)| *page).collect();
    let mut missing = String::new();
    for page in contents()
        .iter()
        .filter(|page| !listed.contains(page.as_str()))
    {
        writeln!(missing, "{page}").unwrap();
    }
    assert!(
        missing.is_empty(),
        "pages of the portal without an entry in routes/:\n{missing}"
    );
}

#[test]
fn every_page_of_the_catalogue_is_in_the_contents_once() {
    let catalogue = catalogue();
    let known: BTreeSet<String> = contents().into_iter().collect();
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = String::new();
    for (page, _, by) in carried(&catalogue) {
        if !known.contains(page) {
            writeln!(found, "{page}: is in {by} and not in the contents").unwrap();
        }
        if let Some(other) = first.insert(page, by.clone()) {
            writeln!(found, "{page}: is in {other} and in {by}").unwrap();
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn titles_are_those_of_the_pages() {
    let catalogue = catalogue();
    let mut found = String::new();
    for (page, titles, by) in carried(&catalogue) {
        let leaf = page.rsplit(" / ").next().unwrap();
        if !titles.iter().any(|title| title == leaf) {
            writeln!(found, "{by}: {leaf} is none of its titles {titles:?}").unwrap();
        }
    }
    for entry in catalogue.entries() {
        if entry.titles.is_empty() {
            writeln!(found, "{} ({}): has no title", entry.name, entry.line).unwrap();
        }
        let english = |title: &String| title.is_ascii();
        if entry.titles.iter().any(english) && !entry.titles.first().is_some_and(english) {
            writeln!(
                found,
                "{} ({}): the English title comes first",
                entry.name, entry.line
            )
            .unwrap();
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn every_guide_is_carried_by_a_file_of_the_project() {
    let catalogue = catalogue();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(!catalogue.guides().is_empty());
    for guide in catalogue.guides() {
        let path = root.join(&guide.carried_by);
        assert!(
            path.is_file(),
            "{:?}: there is no file {}",
            guide.titles,
            guide.carried_by
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.len() > 200,
            "{} says next to nothing",
            guide.carried_by
        );
    }
}

#[test]
fn names_begin_with_their_family() {
    let catalogue = catalogue();
    let mut found = String::new();
    for entry in catalogue.entries() {
        let family = entry.family.name.as_str();
        let others = FIRST_NAMES
            .iter()
            .find(|(name, _)| *name == family)
            .map_or(&[][..], |(_, others)| others);
        match entry.name.split_once('.') {
            Some((first, rest))
                if (first == family || others.contains(&first)) && !rest.is_empty() => {}
            _ => writeln!(
                found,
                "{} ({}) of the family {family}",
                entry.name, entry.line
            )
            .unwrap(),
        }
    }
    assert!(
        found.is_empty(),
        "names that do not begin with their family:\n{found}"
    );
}

#[test]
fn an_entry_that_is_the_same_as_another_is_so_throughout() {
    let catalogue = catalogue();
    let by_name: BTreeMap<&str, _> = catalogue
        .entries()
        .iter()
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    for entry in catalogue.entries() {
        let Some(other) = entry.same_as.as_deref().map(|name| by_name[name]) else {
            continue;
        };
        let what = |entry: &pintle::route::Entry| {
            (
                entry.kind,
                entry.method.clone(),
                entry.path.clone(),
                entry.effect,
            )
        };
        assert_eq!(
            what(entry),
            what(other),
            "{} and {}",
            entry.name,
            other.name
        );
        assert!(
            other.same_as.is_none(),
            "{} is the same as {}",
            entry.name,
            other.name
        );
        assert!(
            !entry.reserved && !other.reserved,
            "{}: a reserved call has one name",
            entry.name
        );
        let upstream = |entry: &pintle::route::Entry| format!("{:?}", entry.family.upstream);
        assert_eq!(
            upstream(entry),
            upstream(other),
            "{} goes elsewhere",
            entry.name
        );
    }
}

#[test]
fn callbacks_are_told_and_operations_are_called() {
    for entry in catalogue().entries() {
        let place = format!("{} ({})", entry.name, entry.line);
        let folder = match entry.kind {
            Kind::Operation => "routes/platform/",
            Kind::Callback => "routes/webhook/",
        };
        assert!(
            entry.line.file.starts_with(folder),
            "{place} belongs into {folder}"
        );
        if entry.kind == Kind::Callback {
            assert!(
                entry.path.is_none() && entry.method.is_none(),
                "{place}: nobody calls it"
            );
        }
    }
}
