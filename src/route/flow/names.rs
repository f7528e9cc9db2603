//! What a route refers to must be there: members of the document, its own values, its answers.
//!
//! The walk goes through a route in the order in which it is worked on, so that it knows at each
//! place which values and steps are there already. Secrets may be sent and compared; where they
//! would be stored or told, they are refused.

mod absent;
mod nodes;
mod replies;

use std::collections::BTreeSet;

use crate::mapping::document::MEMBERS;
use crate::mapping::expr::OPERATORS;
use crate::mapping::path::Path;
use crate::mapping::template::Template;
use crate::yaml::{Fault, Faults, Node, Value, meant, nearest};
use absent::absent;
pub(super) use nodes::list;
use nodes::{each_step, fields, keys, step_name, texts, twice};
pub(super) use replies::check_replies;

/// What a route defines anywhere, by the member of the document under which it is found.
struct Defined<'n> {
    settings: BTreeSet<&'n str>,
    secrets: BTreeSet<&'n str>,
    kept: BTreeSet<&'n str>,
    vars: BTreeSet<&'n str>,
    of_items: BTreeSet<&'n str>,
    taken: BTreeSet<&'n str>,
    steps: BTreeSet<&'n str>,
}

/// What is there at a place of a route.
#[derive(Clone, Default)]
struct Here<'n> {
    members: BTreeSet<&'static str>,
    vars: BTreeSet<&'n str>,
    steps: BTreeSet<&'n str>,
    /// What stands here is sent or compared; elsewhere it would be stored or told.
    may_be_secret: bool,
}

/// One walk through a route.
struct Walk<'n> {
    defined: Defined<'n>,
    is_event: bool,
    faults: &'n Faults,
}

/// Tells every selector that looks at what is never there.
pub(super) fn check<'n>(node: &'n Node, faults: &'n Faults) {
    let items = node.child("items");
    let mut defined = Defined {
        settings: keys(node.child("settings")),
        secrets: texts(node.child("secrets")),
        kept: keys(node.child("load")),
        vars: keys(node.child("vars")),
        of_items: keys(items.and_then(|items| items.child("vars"))),
        taken: BTreeSet::new(),
        steps: BTreeSet::new(),
    };
    for steps in [
        items.and_then(|items| items.child("steps")),
        node.child("steps"),
    ] {
        let mut names = BTreeSet::new();
        each_step(steps, &mut |step| {
            defined.taken.extend(keys(step.child("take")));
            let Some(name) = step_name(step) else { return };
            defined.steps.insert(name);
            if !names.insert(name) && step.child("together").is_none() {
                faults.push(twice(step, name));
            }
        });
    }
    let is_event = node.child("on").is_some();
    Walk {
        defined,
        is_event,
        faults,
    }
    .route(node);
}

impl<'n> Walk<'n> {
    fn route(&self, node: &'n Node) {
        let mut here = Here::default();
        here.members
            .extend(["settings", "secrets", "kept", "vars", "steps"]);
        let told: &[_] = if self.is_event {
            &["event"]
        } else {
            &["push", "body", "query", "headers"]
        };
        here.members.extend(told);
        for (_, load) in fields(node.child("load")) {
            self.expr(load.child("key"), &here);
        }
        self.vars(node.child("vars"), &mut here);
        self.checks(node.child("check"), &here);
        self.each(node.child("limits"), ["key", "place"], &here);
        if let Some(hours) = node.child("hours") {
            self.expr(hours.child("place"), &here);
            here.members.insert("hours");
        }
        let of_items = node.child("items").map(|items| self.items(items, &here));
        if of_items.is_some() {
            here.members.extend(["rows", "results"]);
        }
        self.once(node.child("once"), &here);
        self.entries(node.child("consent"), &here);
        self.each(node.child("keep"), ["key", "value"], &here);
        self.expr(node.child("order"), &here);
        if let Some((items, mut of_items)) = of_items {
            self.steps(items.child("steps"), &mut of_items);
        }
        self.steps(node.child("steps"), &mut here);
        here.members.extend(["reason", "faults"]);
        self.expr(node.child("result"), &here);
        for (_, reply) in fields(node.child("replies")) {
            match &reply.value {
                Value::List(rules) => rules.iter().for_each(|rule| self.reply(rule, &here)),
                _ => self.reply(reply, &here),
            }
        }
    }

    /// Values, each of which sees those before it.
    fn vars(&self, node: Option<&'n Node>, here: &mut Here<'n>) {
        for (key, value) in fields(node) {
            self.expr(Some(value), here);
            here.vars.extend(key.text());
        }
    }

    fn checks(&self, node: Option<&'n Node>, here: &Here<'n>) {
        for check in list(node) {
            self.condition(check.child("if"), here);
            self.condition(check.child("unless"), here);
            self.expr(check.child("fault"), here);
        }
    }

    /// The values under these keys of each entry of a list.
    fn each(&self, node: Option<&'n Node>, keys: [&str; 2], here: &Here<'n>) {
        for entry in list(node) {
            for key in keys {
                self.expr(entry.child(key), here);
            }
        }
    }

    fn once(&self, node: Option<&'n Node>, here: &Here<'n>) {
        for part in list(node.and_then(|node| node.child("key"))) {
            self.expr(Some(part), here);
        }
    }

    /// What is done with each item; what its steps see is handed back.
    fn items(&self, node: &'n Node, of_route: &Here<'n>) -> (&'n Node, Here<'n>) {
        let mut here = of_route.clone();
        if let Some(each) = node.child("each") {
            self.scalar(each, &here);
        }
        here.members.insert("item");
        self.vars(node.child("vars"), &mut here);
        self.checks(node.child("check"), &here);
        self.each(node.child("limits"), ["key", "place"], &here);
        self.once(node.child("once"), &here);
        self.entries(node.child("consent"), &here);
        self.expr(node.child("row"), &here);
        self.expr(node.child("result"), &here);
        let mut refused = here.clone();
        refused.members.insert("reason");
        self.expr(node.child("refusal"), &refused);
        (node, here)
    }

    fn steps(&self, node: Option<&'n Node>, here: &mut Here<'n>) {
        for step in list(node) {
            self.step(step, here);
        }
    }

    fn step(&self, step: &'n Node, here: &mut Here<'n>) {
        self.asks(step, here);
        if let Some(offer) = step.child("offer_to") {
            let mut offered = here.clone();
            offered.members.insert("candidate");
            self.steps(offer.child("steps"), &mut offered);
            here.vars.extend(offered.vars);
            here.steps.extend(offered.steps);
        }
        self.brings(step, here);
    }

    /// What a step looks at before it is made.
    fn asks(&self, step: &'n Node, here: &Here<'n>) {
        self.condition(step.child("when"), here);
        self.expr(step.child("over"), here);
        self.expr(step.child("chunk"), here);
        if let Some(offer) = step.child("offer_to") {
            self.expr(offer.child("candidates"), here);
        }
        let mut here = here.clone();
        if step.child("over").is_some() {
            here.members.insert("chunk");
        }
        here.may_be_secret = true;
        self.expr(step.child("query"), &here);
        self.expr(step.child("body"), &here);
        if let Some(send) = step.child("send") {
            self.send(send, &here);
        }
        for step in list(step.child("together")) {
            self.asks(step, &here);
        }
    }

    fn send(&self, send: &'n Node, here: &Here<'n>) {
        if let Some(url) = send.child("url") {
            self.template(url, here);
        }
        self.expr(send.child("allow"), here);
        self.entries(send.child("headers"), here);
        for codec in crate::codec::CODECS {
            self.expr(send.child(codec.name), here);
        }
        self.expr(send.child("sign").and_then(|sign| sign.child("id")), here);
    }

    /// What a step looks at when it was made.
    fn brings(&self, step: &'n Node, here: &mut Here<'n>) {
        for step in list(step.child("together")) {
            self.brings(step, here);
        }
        here.steps.extend(step_name(step));
        self.condition(step.child("good"), here);
        if let Some(reconcile) = step.child("reconcile") {
            let mut asked = here.clone();
            if let Some(step) = reconcile.child("step") {
                self.asks(step, &asked);
                asked.steps.extend(step_name(step));
            }
            self.condition(reconcile.child("done"), &asked);
        }
        self.vars(step.child("take"), here);
        self.checks(step.child("check"), here);
    }

    fn reply(&self, rule: &'n Node, here: &Here<'n>) {
        self.condition(rule.child("when"), here);
        self.entries(rule.child("headers"), here);
        self.expr(rule.child("redirect"), here);
        for codec in crate::codec::CODECS {
            self.expr(rule.child(codec.name), here);
        }
    }

    /// Values by name.
    fn entries(&self, node: Option<&'n Node>, here: &Here<'n>) {
        for (_, value) in fields(node) {
            self.expr(Some(value), here);
        }
    }

    /// A value, as [`crate::mapping::expr::Expr::read`] reads it.
    fn expr(&self, node: Option<&'n Node>, here: &Here<'n>) {
        let Some(node) = node else { return };
        match &node.value {
            Value::Scalar { text, .. } if text.starts_with('$') => self.scalar(node, here),
            Value::Scalar { text, .. } if text.contains("{$.") => self.faults.push(
                Fault::at(node, "nothing is put into this text: it goes out as it stands")
                    .help("write `{ text: \"…\" }` around it, or `{ literal: \"…\" }` where it is meant so"),
            ),
            Value::Null | Value::Scalar { .. } => {}
            Value::List(items) => items.iter().for_each(|item| self.expr(Some(item), here)),
            Value::Map(entries) => {
                let names = entries.iter().filter_map(|(key, _)| key.text());
                let operator = names
                    .into_iter()
                    .find(|name| OPERATORS.iter().any(|(known, _)| known == name));
                self.operator(node, operator, here);
            }
        }
    }

    fn operator(&self, node: &'n Node, name: Option<&str>, here: &Here<'n>) {
        match name {
            None => self.entries(Some(node), here),
            Some("from") => {
                self.expr(node.child("from"), here);
                self.expr(node.child("default"), here);
            }
            Some("first") => self.expr(node.child("first"), here),
            Some("all") => node
                .child("all")
                .into_iter()
                .for_each(|all| self.scalar(all, here)),
            Some("text") => node
                .child("text")
                .into_iter()
                .for_each(|text| self.template(text, here)),
            Some("choose") => {
                for arm in list(node.child("choose")) {
                    self.condition(arm.child("when"), here);
                    self.expr(arm.child("give"), here);
                }
            }
            Some("object") => self.entries(node.child("object"), here),
            Some(_) => {}
        }
    }

    /// A condition, as [`crate::mapping::condition::Condition::read`] reads it: it tells nothing
    /// of a value but whether it holds.
    fn condition(&self, node: Option<&'n Node>, here: &Here<'n>) {
        let Some(node) = node else { return };
        let here = &Here {
            may_be_secret: true,
            ..here.clone()
        };
        let Value::Map(entries) = &node.value else {
            return self.expr(Some(node), here);
        };
        let [(key, under)] = entries.as_slice() else {
            return self.expr(Some(node), here);
        };
        match key.text().unwrap_or_default() {
            "all" | "any" if matches!(under.value, Value::List(_)) => {
                for one in list(Some(under)) {
                    self.condition(Some(one), here);
                }
            }
            "not" => self.condition(Some(under), here),
            "equal" | "in" | "at_least" | "below" | "is_list" => self.expr(Some(under), here),
            "matches" => self.expr(list(Some(under)).first(), here),
            _ => self.expr(Some(node), here),
        }
    }

    fn scalar(&self, node: &'n Node, here: &Here<'n>) {
        if let Some(Ok(path)) = node.text().map(Path::parse) {
            self.path(node, &path, here);
        }
    }

    fn template(&self, node: &'n Node, here: &Here<'n>) {
        if let Some(Ok(template)) = node.text().map(Template::parse) {
            template
                .paths()
                .for_each(|path| self.path(node, path, here));
        }
    }

    fn path(&self, node: &Node, path: &Path, here: &Here<'n>) {
        let Some(member) = path.root_name() else {
            self.faults.push(
                Fault::at(
                    node,
                    format!("`{}` names no part of the push", path.as_str()),
                )
                .help("begin with a name: `$.body`, `$.vars`, `$.settings`, …"),
            );
            return;
        };
        // The first is the query's own; the others stand in its filters.
        for root in path.roots().skip(1) {
            self.member(node, root.unwrap_or_default(), here);
        }
        if !self.member(node, member, here) {
            return;
        }
        if let Some(name) = path.second_name() {
            self.name(node, (member, name), here);
        } else if matches!(member, "secrets" | "settings")
            && path.steps().len() == 1
            && path.is_singular()
        {
            self.faults.push(
                Fault::at(node, format!("`$.{member}` is all of them at once"))
                    .help(format!("name the one that is meant: `$.{member}.NAME`")),
            );
        }
    }

    /// Whether a member of the document is there.
    fn member(&self, node: &Node, member: &str, here: &Here<'n>) -> bool {
        let known = MEMBERS.iter().map(|(name, _)| *name);
        if !known.clone().any(|name| name == member) {
            self.faults.push(
                Fault::at(node, format!("there is no `$.{member}`"))
                    .label("not known")
                    .help(meant(member, known)),
            );
            return false;
        }
        if member == "secrets" && !here.may_be_secret {
            self.faults.push(
                Fault::at(node, "a secret would be stored or told here")
                    .help("write it where it is sent, in the `send` or `call` of a step, or compare it in a condition"),
            );
            return false;
        }
        if here.members.contains(member) {
            return true;
        }
        self.faults.push(absent(node, member));
        false
    }

    /// Tells a name that the route does not define, or not before this place.
    fn name(&self, node: &Node, (member, name): (&str, &str), here: &Here<'n>) {
        let defined = &self.defined;
        let (known, what, add) = match member {
            "settings" => (
                &defined.settings,
                "setting",
                "add it under `settings:`, with a default or without a value",
            ),
            "secrets" => (&defined.secrets, "secret", "add it to the list `secrets:`"),
            "kept" => (
                &defined.kept,
                "value that is looked up",
                "add it under `load:`",
            ),
            "vars" if here.vars.contains(name) => return,
            "vars" => (&defined.vars, "value", "add it under `vars:`"),
            "steps" if here.steps.contains(name) => return,
            "steps" => (
                &defined.steps,
                "step",
                "write the name of a step of this route",
            ),
            _ => return,
        };
        let later = match member {
            "vars" if defined.vars.contains(name) => Some(format!(
                "values are made in their order: write `{name}` above what looks at it"
            )),
            "vars" if defined.of_items.contains(name) => Some(format!(
                "`{name}` stands in the `vars` of `items`: it is there under `items:` only"
            )),
            "vars" if defined.taken.contains(name) => Some(format!(
                "a step takes `{name}` out of its reply: it is there after that step"
            )),
            "steps" if known.contains(name) => {
                Some("what a step brings is there after it, and in the answers".to_owned())
            }
            _ => None,
        };
        if let Some(help) = later {
            self.faults.push(
                Fault::at(node, format!("`$.{member}.{name}` is not there yet"))
                    .label("too early")
                    .help(help),
            );
        } else if !known.contains(name) {
            let all = known
                .iter()
                .chain(here.vars.iter().filter(|_| member == "vars"));
            let help = nearest(name, all.copied())
                .map_or_else(|| add.to_owned(), |near| format!("did you mean `{near}`?"));
            self.faults.push(
                Fault::at(node, format!("this route has no {what} `{name}`"))
                    .label("not known")
                    .help(help),
            );
        }
    }
}
