//! The pushes that are taken, each with what proves it and who gets it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::flows::FlowOptions;
use crate::crypto::SecretFault;
use crate::delivery::TargetOptions;
use crate::inbound::{Callback, Hook, HookOf, Hooks};
use crate::policy::MissingSecret;
use crate::route::flow::Begins;
use crate::route::{Catalogue, Entry, Webhook};
use crate::secret::Secret;
use crate::yaml::{Fault, Faults, Node};

/// Everything that the public listener takes.
pub(super) fn read(
    catalogue: &Catalogue,
    receivers: &[TargetOptions],
    flows: &[FlowOptions],
    public: (&Node, &BTreeMap<String, Vec<Secret>>),
    faults: &Faults,
) -> Hooks {
    let callbacks = callbacks(catalogue, receivers, flows, public, faults);
    let routes = flows
        .iter()
        .filter_map(|flow| route_hook(flow, public.0, faults));
    Hooks::new(callbacks.into_iter().chain(routes).collect::<Vec<_>>())
}

/// The push of a route, with what proves it; `None` where it begins with an event.
fn route_hook(flow: &FlowOptions, public: &Node, faults: &Faults) -> Option<Hook> {
    let running = &flow.running;
    let Begins::Listen(listen) = &running.flow.begins else {
        return None;
    };
    let proof = &listen.proof;
    let made = proof
        .verifier(&running.signing)
        .and_then(|verifier| Ok((verifier, proof.handshake(&running.signing)?)));
    match made {
        Ok((verifier, handshake)) => Some(Hook {
            of: HookOf::Route(Arc::clone(running)),
            verifier,
            handshake,
            reads_plaintext: false,
            reads_document: proof.reads_document().then_some(listen.format),
        }),
        Err(missing) => {
            faults.push(
                Fault::at(
                    public,
                    format!(
                        "the secret `{}` of the route `{}`: {}",
                        missing.name, running.flow.name, missing.fault
                    ),
                )
                .help("put a secret of the right kind where the reference under `run` points"),
            );
            None
        }
    }
}

/// The callbacks that somebody gets, each with what proves it.
fn callbacks(
    catalogue: &Catalogue,
    receivers: &[TargetOptions],
    flows: &[FlowOptions],
    (public, secrets): (&Node, &BTreeMap<String, Vec<Secret>>),
    faults: &Faults,
) -> Vec<Hook> {
    let mut told = Vec::new();
    let pushes = catalogue
        .entries()
        .iter()
        .filter_map(|entry| Some((entry, entry.webhook.as_ref()?)));
    let hooks = pushes.filter_map(|(entry, webhook)| {
        let targets: Vec<(String, bool)> = receivers
            .iter()
            .filter(|receiver| receiver.takes(&entry.name))
            .map(|receiver| (receiver.name.clone(), receiver.is_once))
            .chain(routes_of(&entry.name, flows))
            .collect();
        if targets.is_empty() {
            return None;
        }
        let proof = &webhook.proof;
        let made = proof
            .verifier(secrets)
            .and_then(|verifier| Ok((verifier, proof.handshake(secrets)?)));
        match made {
            Ok((verifier, handshake)) => Some(Hook {
                of: HookOf::Callback(Callback {
                    entry: Arc::clone(entry),
                    webhook: Arc::clone(webhook),
                    targets,
                }),
                verifier,
                handshake,
                reads_plaintext: proof.reads_plaintext(),
                reads_document: None,
            }),
            Err(missing) => {
                tell_missing(&missing, (entry, webhook), public, (faults, &mut told));
                None
            }
        }
    });
    hooks.collect()
}

/// The routes that begin with an event of this name.
fn routes_of<'f>(
    event: &str,
    flows: &'f [FlowOptions],
) -> impl Iterator<Item = (String, bool)> + use<'f> {
    let event = event.to_owned();
    flows
        .iter()
        .filter(move |flow| flow.running.flow.begins_with(&event))
        .map(|flow| (flow.running.flow.target(), flow.running.is_once))
}

fn tell_missing(
    missing: &MissingSecret,
    (entry, webhook): (&Entry, &Webhook),
    public: &Node,
    (faults, told): (&Faults, &mut Vec<String>),
) {
    let name = &missing.name;
    let written = public.child("secrets").and_then(|node| node.child(name));
    let is_told = written.is_some() && missing.fault == SecretFault::Absent;
    if is_told || told.contains(name) {
        return;
    }
    told.push(name.clone());
    let proof = &webhook.proof.name;
    faults.push(
        Fault::at(
            public.child("secrets").unwrap_or(public),
            format!(
                "the secret `{name}` of the proof `{proof}`: {}",
                missing.fault
            ),
        )
        .help(format!(
            "add `secrets: {{ {name}: env:NAME }}` to `public`; `{}` is the first push that is \
             proved by it",
            entry.name
        )),
    );
}
