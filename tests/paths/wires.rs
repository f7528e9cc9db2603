//! HTTP/1.1 and HTTP/2, TLS and unix sockets, on both sides, with curl as the client.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pintle::sandbox::{Options, Sandbox};
use pintle::upstream::tls::{certificates, private_key, provider};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::support::{Stage, sandbox_options, settings_of_account};

/// A CA and what it has signed, as PEM files in a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "the tests' authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// Signs a certificate for a name; writes `NAME.pem` and `NAME.key`.
    pub(crate) fn sign(&self, file: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec![host.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, file);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = self.folder.path();
        std::fs::write(path.join(format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(path.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A platform behind TLS; `alpn` is what it offers, `client` whether it asks for a certificate.
    async fn platform(&self, alpn: &[&str], client: bool) -> Sandbox {
        self.sign("platform", "localhost");
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if client {
            let mut roots = RootCertStore::empty();
            roots
                .add(certificates(&self.read("ca.pem")).unwrap().remove(0))
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = certificates(&self.read("platform.pem")).unwrap();
        let key = private_key(&self.read("platform.key")).unwrap();
        let mut tls = builder.with_single_cert(chain, key).unwrap();
        tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let options = Options {
            tls: Some(Arc::new(tls)),
            ..sandbox_options()
        };
        Sandbox::start(options).await.unwrap()
    }
}

/// Settings for a platform at `localhost`, with more keys of the account.
fn account(sandbox: &Sandbox, of_account: &str) -> String {
    let url = sandbox.url().replace("127.0.0.1", "localhost");
    settings_of_account(&url, of_account, "")
}

pub fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "10"])
        .args(arguments)
        .output();
    let output = output.expect("curl is here: apt-get install curl");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

const CODE_AND_VERSION: &[&str] = &["-o", "/dev/null", "-w", "%{http_code} %{http_version}"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_side_speaks_http1_and_http2() {
    let stage = Stage::new().await;
    let url = format!("{}/service/cloud/robot", stage.client.base());
    let with = |flag| curl(&[CODE_AND_VERSION, &[flag, &url]].concat());
    assert_eq!(with("--http1.1"), "200 1.1");
    assert_eq!(with("--http1.0"), "200 1");
    assert_eq!(with("--http2-prior-knowledge"), "200 2");
}

/// A gateway whose local listener has TLS.
async fn over_tls(authority: &Authority) -> Stage {
    authority.sign("local", "localhost");
    let path = authority.path().display();
    let more = format!(
        "local:\n  listen: 127.0.0.1:0\n  \
         tls: {{ certificate: \"{path}/local.pem\", key: \"file:{path}/local.key\" }}"
    );
    Stage::with(&more).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_side_speaks_tls_with_alpn() {
    let authority = Authority::new();
    let stage = over_tls(&authority).await;
    let url = format!(
        "{}/service/cloud/robot",
        stage.client.base().replace("http:", "https:")
    );
    let ca = authority.path().join("ca.pem").display().to_string();
    let with = |flag| curl(&[CODE_AND_VERSION, &["--cacert", &ca, flag, &url]].concat());
    assert_eq!(with("--http1.1"), "200 1.1");
    assert_eq!(with("--http2"), "200 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_session_is_resumed_however_many_came_between() {
    let authority = Authority::new();
    let stage = over_tls(&authority).await;
    let address = stage.client.base().strip_prefix("http://").unwrap();
    let session = authority.path().join("session").display().to_string();
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        let request = "GET /service/cloud/robot HTTP/1.1\nHost: localhost\nConnection: close\n\n";
        command.args(arguments).args(["-connect", address]);
        fed(&mut command, &request.replace('\n', "\r\n"))
    };
    let client = ["s_client", "-ign_eof", "-tls1_3"];
    let first = openssl(&[&client[..], &["-sess_out", &session]].concat());
    assert!(first.contains("New, TLSv1.3"), "{first}");
    let between = openssl(&["s_time", "-new", "-time", "1"]);
    let made = between.split(" connections in ").next().unwrap();
    let made: u32 = made.rsplit(['\n', ' ']).next().unwrap().parse().unwrap();
    assert!(made > 256, "more than a cache of sessions has: {between}");
    let second = openssl(&[&client[..], &["-sess_in", &session]].concat());
    assert!(second.contains("Reused, TLSv1.3"), "{second}");
    assert!(second.contains("HTTP/1.1 200"), "{second}");
}

/// What a command says that reads a text.
fn fed(command: &mut Command, text: &str) -> String {
    use std::io::Write as _;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    drop(input.write_all(text.as_bytes()));
    drop(input);
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_side_listens_on_a_unix_socket() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("local.sock");
    let shown = socket.display().to_string();
    // A socket that a dead process left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let stage = Stage::with(&format!(
        "local: {{ listen: 127.0.0.1:0, unix: \"{shown}\" }}"
    ))
    .await;
    let url = "http://any.name/service/cloud/robot";
    let output = curl(&[CODE_AND_VERSION, &["--unix-socket", &shown, url]].concat());
    assert_eq!(output, "200 1.1");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(stage.app.drain().await);
    assert!(!socket.exists(), "the socket goes with the listener");
}

#[tokio::test]
async fn the_platform_is_spoken_to_over_tls_in_what_alpn_agrees_on() {
    let authority = Authority::new();
    let ca = authority.path().join("ca.pem").display().to_string();
    for (offered, wanted, spoken) in [
        (&["h2", "http/1.1"][..], "auto", http::Version::HTTP_2),
        (&["http/1.1"], "auto", http::Version::HTTP_11),
        (&["h2", "http/1.1"], "\"1.1\"", http::Version::HTTP_11),
        (&["h2"], "2", http::Version::HTTP_2),
        (&[], "auto", http::Version::HTTP_11),
    ] {
        let sandbox = authority.platform(offered, false).await;
        let more = format!("tls: {{ ca: \"{ca}\" }}, http: {wanted}");
        let text = account(&sandbox, &more);
        let stage = Stage::start(sandbox, &text).await;
        let reply = stage
            .client
            .post("/service/cloud/operation", r#"{"a":1}"#)
            .await;
        assert_eq!(reply.status, 200, "{offered:?} {wanted}: {:?}", reply.body);
        let seen = stage.last_seen();
        assert_eq!(seen.protocol, spoken, "{offered:?} {wanted}");
        assert_eq!(seen.body, r#"{"a":1}"#);
        let is_http1 = spoken == http::Version::HTTP_11;
        assert_eq!(
            seen.headers.contains_key("host"),
            is_http1,
            "else `:authority` has it"
        );
    }
}

#[tokio::test]
async fn a_platform_that_nobody_vouches_for_is_not_spoken_to() {
    let authority = Authority::new();
    let sandbox = authority.platform(&["http/1.1"], false).await;
    let text = account(&sandbox, "http: auto");
    let stage = Stage::start(sandbox, &text).await;
    let reply = stage.client.get("/service/cloud/robot").await;
    assert_eq!(
        (reply.status.as_u16(), reply.code().as_str()),
        (503, "login_unreachable")
    );
    assert_eq!(stage.sandbox.seen().len(), 0);
}

#[tokio::test]
async fn a_platform_may_ask_for_a_client_certificate() {
    let authority = Authority::new();
    authority.sign("client", "gateway");
    let path = authority.path().display().to_string();
    let sandbox = authority.platform(&["h2", "http/1.1"], true).await;
    let tls = format!(
        "tls: {{ ca: \"{path}/ca.pem\", certificate: \"{path}/client.pem\", \
         key: \"file:{path}/client.key\" }}"
    );
    let text = account(&sandbox, &tls);
    let stage = Stage::start(sandbox, &text).await;
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);

    let sandbox = authority.platform(&["h2", "http/1.1"], true).await;
    let text = account(&sandbox, &format!("tls: {{ ca: \"{path}/ca.pem\" }}"));
    let stage = Stage::start(sandbox, &text).await;
    assert_eq!(stage.client.get("/service/cloud/robot").await.status, 503);
}

#[tokio::test]
async fn connections_to_the_platform_are_used_again() {
    let stage = Stage::new().await;
    for _ in 0..50 {
        assert_eq!(stage.client.get("/service/cloud/robot").await.status, 200);
    }
    let connections: std::collections::BTreeSet<u64> = stage
        .sandbox
        .seen()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(
        connections.len(),
        1,
        "the login and fifty calls: {connections:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_share_an_http2_connection() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let text = account(&sandbox, "http: 2");
    let stage = Stage::start(sandbox, &text).await;
    let calls = (0..60).map(|_| stage.client.get("/service/cloud/robot"));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.status, 200);
    }
    let connections: std::collections::BTreeSet<u64> = stage
        .sandbox
        .seen()
        .iter()
        .map(|seen| seen.connection)
        .collect();
    assert_eq!(connections.len(), 1, "{connections:?}");
}
