//! The public listener over TLS, with curl as the sender.

use super::*;
use crate::support::until;
use crate::wires::{Authority, curl};

/// Settings of a public listener with the certificate that stands in `server.pem`.
fn settings(url: &str, app: &Receiver, of_tls: &str, more: &str) -> String {
    let tls = format!("tls: {{ certificate: server.pem, key: \"file:server.key\", {of_tls} }}");
    inbound_settings(url, &receiver("app", app, ""), &tls, more)
}

fn put_certificate(authority: &Authority, folder: &TempDir, name: &str) {
    authority.sign(name, "localhost");
    for end in ["pem", "key"] {
        let from = authority.path().join(format!("{name}.{end}"));
        std::fs::copy(from, folder.path().join(format!("server.{end}"))).unwrap();
    }
}

fn push(authority: &Authority, stage: &Stage, more: &[&str]) -> String {
    let ca = authority.path().join("ca.pem");
    let port = stage.app.addresses().public.unwrap().port();
    let url = format!("https://localhost:{port}{CALL}");
    let ca = ca.to_str().unwrap();
    let mut arguments = vec!["-v", "--stderr", "-", "--cacert", ca, "-d", BODY, &url];
    arguments.extend(more);
    curl(&arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_exchanged_without_a_restart() {
    let (authority, app) = (Authority::new(), Receiver::start().await);
    let folder = TempDir::new().unwrap();
    put_certificate(&authority, &folder, "first");
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings(&sandbox.url(), &app, "", "");
    let stage = Stage::start_in(folder, sandbox, &settings).await;
    let told = push(&authority, &stage, &[]);
    assert!(
        told.contains("CN=first") && told.contains("HTTP/2 200"),
        "{told}"
    );
    put_certificate(&authority, &stage.folder, "second");
    let pintle::app::Reloaded::Done { restart_for } = stage.app.reload() else {
        panic!("it is reloaded");
    };
    assert!(restart_for.is_empty(), "{restart_for:?}");
    let told = push(&authority, &stage, &[]);
    assert!(
        told.contains("CN=second") && told.contains("HTTP/2 200"),
        "{told}"
    );
    until("one event", || app.count() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_can_be_proved_by_its_certificate() {
    let (authority, app) = (Authority::new(), Receiver::start().await);
    let folder = crate::sealing::folder(|text| {
        let by_path = "    path_secret: callback_path\n";
        text.replace(by_path, "    all: [{ path_secret: callback_path }, { client_certificate: { names: [platform.example] } }]\n")
    });
    put_certificate(&authority, &folder, "server");
    std::fs::copy(
        authority.path().join("ca.pem"),
        folder.path().join("ca.pem"),
    )
    .unwrap();
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let of_tls = "client_ca: ca.pem, clients: optional";
    let settings = settings(&sandbox.url(), &app, of_tls, "policies: policies");
    let stage = Stage::start_in(folder, sandbox, &settings).await;
    let told = push(&authority, &stage, &[]);
    assert!(told.contains("HTTP/2 403"), "without a certificate: {told}");
    for (host, status) in [
        ("other.example", "HTTP/2 403"),
        ("platform.example", "HTTP/2 200"),
    ] {
        authority.sign("client", host);
        let [certificate, key] =
            ["client.pem", "client.key"].map(|name| authority.path().join(name));
        let shown = [
            "--cert",
            certificate.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ];
        let told = push(&authority, &stage, &shown);
        assert!(told.contains(status), "{host}: {told}");
    }
}
