//! Several accounts, and the upstream of another system: each call goes where it should.

use pintle::sandbox::{Options, Sandbox, Seen};
use tempfile::TempDir;

use crate::support::{Client, Stage, sandbox_options, settings, settings_of_account};

const ROBOTS: &str = "/service/cloud/robot";
const PROCESS: &str = "/api/v1/process/queryTaskQian";

/// A gateway with two accounts, `north` by default and `south`, on sandboxes of their own.
struct Two {
    north: Stage,
    south: Sandbox,
}

impl Two {
    async fn start() -> Self {
        let north = Sandbox::start(sandbox_options()).await.unwrap();
        let options = Options {
            app_key: "southern-key".to_owned(),
            app_secret: "southern-secret".to_owned(),
            seed: 2,
            ..sandbox_options()
        };
        let south = Sandbox::start(options).await.unwrap();
        let settings = format!(
            "local: {{ listen: 127.0.0.1:0 }}\nadmin: {{ listen: 127.0.0.1:0 }}\n\
             default_account: north\naccounts:\n{}{}",
            account("north", &north.url(), ["sandbox-key", "sandbox-secret"]),
            account("south", &south.url(), ["southern-key", "southern-secret"]),
        );
        let north = Stage::start(north, &settings).await;
        Self { north, south }
    }

    fn client(&self) -> &Client {
        &self.north.client
    }

    /// What the account's platform saw of calls; the logins are its own affair.
    fn seen(&self, account: &str) -> Vec<Seen> {
        let sandbox = match account {
            "north" => &self.north.sandbox,
            _ => &self.south,
        };
        let mut seen = sandbox.seen();
        seen.retain(|seen| !seen.target.ends_with("/auth"));
        seen
    }
}

fn account(name: &str, url: &str, [key, secret]: [&str; 2]) -> String {
    format!(
        "  {name}: {{ base_url: \"{url}\", \
         secrets: {{ app_key: \"literal:{key}\", app_secret: \"literal:{secret}\" }} }}\n"
    )
}

#[tokio::test]
async fn a_call_reaches_the_account_that_it_names_with_that_accounts_token() {
    let two = Two::start().await;
    for (path, header, account) in [
        (ROBOTS, None, "north"),
        (ROBOTS, Some("north"), "north"),
        (ROBOTS, Some("south"), "south"),
        ("/accounts/north/service/cloud/robot", None, "north"),
        ("/accounts/south/service/cloud/robot?a=%20b", None, "south"),
        // The path is what a person sees, so it counts more than a header.
        (
            "/accounts/south/service/cloud/robot",
            Some("north"),
            "south",
        ),
        (
            "/accounts/south/operations/collection.robots",
            None,
            "south",
        ),
        ("/operations/collection.robots", Some("south"), "south"),
    ] {
        let other = if account == "north" { "south" } else { "north" };
        let before = (two.seen(account).len(), two.seen(other).len());
        let headers: Vec<_> = header
            .map(|name| ("x-pintle-account", name))
            .into_iter()
            .collect();
        let reply = two.client().send("GET", path, &headers, "").await;
        assert_eq!(reply.status, 200, "{path} {header:?}: {:?}", reply.body);
        let after = (two.seen(account).len(), two.seen(other).len());
        assert_eq!(after, (before.0 + 1, before.1), "{path} {header:?}");
        let seen = two.seen(account).pop().unwrap();
        assert!(seen.target.starts_with(ROBOTS), "{}", seen.target);
        assert!(!seen.headers.contains_key("x-pintle-account"));
    }
    let token = |account| two.seen(account)[0].headers["authorization"].clone();
    assert_ne!(token("north"), token("south"));
    assert_eq!((two.north.sandbox.logins(), two.south.logins()), (1, 1));
}

#[tokio::test]
async fn an_unknown_account_is_404_and_names_nothing() {
    let two = Two::start().await;
    for (path, header) in [
        ("/accounts/nobody/service/cloud/robot", None),
        ("/accounts/nort/service/cloud/robot", None),
        ("/accounts/NORTH/service/cloud/robot", None),
        ("/accounts/nobody/operations/collection.robots", None),
        ("/accounts/nobody/service/cloud/robot", Some("north")),
        (ROBOTS, Some("nobody")),
        (ROBOTS, Some("")),
        (ROBOTS, Some("north, south")),
    ] {
        let headers: Vec<_> = header
            .map(|name| ("x-pintle-account", name))
            .into_iter()
            .collect();
        let reply = two.client().send("GET", path, &headers, "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (404, "account_unknown"),
            "{path} {header:?}"
        );
        let text = String::from_utf8_lossy(&reply.body);
        let ports = [two.north.sandbox.address(), two.south.address()]
            .map(|address| format!(":{}", address.port()));
        for secret in ["north", "south", "127.0.0.1", "-key", "-secret"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(ports.iter().all(|port| !text.contains(port)), "{text}");
    }
    assert_eq!((two.seen("north").len(), two.seen("south").len()), (0, 0));
}

#[tokio::test]
async fn an_account_that_fails_does_not_stop_the_others() {
    let good = Sandbox::start(sandbox_options()).await.unwrap();
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "elsewhere").unwrap();
    let reference = format!("file:{}", secret.display());
    let unresolved = format!(
        "  lost: {{ base_url: \"http://does-not-exist.invalid\", \
         secrets: {{ app_key: \"{reference}\", app_secret: \"{reference}\" }} }}\n"
    );
    let settings = format!(
        "local: {{ listen: 127.0.0.1:0 }}\nadmin: {{ listen: 127.0.0.1:0 }}\n\
         default_account: good\naccounts:\n{}{}{unresolved}",
        account("good", &good.url(), ["sandbox-key", "sandbox-secret"]),
        account("wrong", &good.url(), ["sandbox-key", "another-secret"]),
    );
    let stage = Stage::start(good, &settings).await;
    for (name, status) in [("good", 200), ("wrong", 503), ("lost", 503), ("good", 200)] {
        let reply = stage.client.get(&format!("/accounts/{name}{ROBOTS}")).await;
        assert_eq!(reply.status, status, "{name}");
        match name {
            "wrong" => assert_eq!(reply.code(), "login_refused"),
            "lost" => assert_eq!(reply.code(), "login_unreachable"),
            _ => {}
        }
    }
    let ready = stage.admin().get("/readyz").await;
    assert_eq!(ready.status, 200);
    let accounts = &ready.json()["accounts"];
    assert_eq!(accounts["good"]["token"], "valid");
    assert_eq!(accounts["wrong"]["token"], "login failed");
    assert_eq!(accounts["lost"]["token"], "login failed");
}

#[tokio::test]
async fn without_its_upstream_the_other_systems_call_is_501() {
    let stage = Stage::new().await;
    for path in [PROCESS, "/operations/process.read_status"] {
        let reply = stage.client.post(path, "{}").await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (501, "upstream_not_set"),
            "{path}"
        );
    }
    assert_eq!(stage.seen_at("/api"), 0);
}

#[tokio::test]
async fn the_other_systems_call_gets_its_own_headers_and_never_the_token() {
    let platform = Sandbox::start(sandbox_options()).await.unwrap();
    let other = Sandbox::start(sandbox_options()).await.unwrap();
    let upstreams = format!(
        "upstreams: {{ process: {{ base_url: \"{}\", \
         headers: {{ tenantid: \"literal:t1\", token: \"literal:x\" }} }} }}",
        other.url()
    );
    let settings = settings_of_account(&platform.url(), &upstreams, "");
    let stage = Stage::start(platform, &settings).await;
    let body = r#"{"taskId":1}"#;
    // A caller can neither bring credentials nor take the place of the upstream's own headers.
    let headers = [
        ("authorization", "Bearer mine"),
        ("token", "mine"),
        ("tenantid", "mine"),
        ("connection", "tenantid, token"),
        ("content-type", "application/json"),
    ];
    let reply = stage.client.send("POST", PROCESS, &headers, body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["retcode"], 0, "{:?}", reply.body);
    assert_eq!(reply.header("x-pintle-verdict"), "accepted");
    let seen = other.seen().pop().unwrap();
    assert_eq!((&*seen.target, &*seen.body), (PROCESS, body.as_bytes()));
    assert_eq!(seen.headers["tenantid"], "t1");
    assert_eq!(seen.headers["token"], "x");
    assert_eq!(seen.headers.get_all("token").iter().count(), 1);
    assert!(!seen.headers.contains_key("authorization"));
    assert_eq!(stage.seen_at("/api"), 0, "the platform has no part in it");
    // Its verdict is its own: `retcode`, not the platform's `code`.
    for (fault, verdict) in [
        ("code=7", "refused"),
        ("html", "unclear"),
        ("status=500", "refused"),
        ("delay=1ms", "accepted"),
    ] {
        let headers = [("x-sandbox-fault", fault)];
        let reply = stage.client.send("POST", PROCESS, &headers, body).await;
        assert_eq!(reply.header("x-pintle-verdict"), verdict, "{fault}");
    }
    // Its 401 is about its own headers: no login follows.
    let headers = [("x-sandbox-fault", "status=401")];
    let reply = stage.client.send("POST", PROCESS, &headers, body).await;
    assert_eq!(reply.status, 401);
    assert_eq!((stage.sandbox.logins(), other.logins()), (1, 0));
}

#[tokio::test]
async fn an_only_account_is_the_default() {
    let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
    let settings = settings(&sandbox.url(), "").replace("main:", "only:");
    let stage = Stage::start(sandbox, &settings).await;
    assert_eq!(stage.client.get(ROBOTS).await.status, 200);
    let named = format!("/accounts/only{ROBOTS}");
    assert_eq!(stage.client.get(&named).await.status, 200);
}
