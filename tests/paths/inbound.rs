//! The inbound bridge, end to end: pushes come in over sockets, and deliveries go out over sockets.

mod accept;
mod crash;
mod deliver;
mod prove;
mod store;
mod tls;

use pintle::sandbox::Sandbox;
use tempfile::TempDir;

use crate::receiver::Receiver;
use crate::support::{Client, Stage, sandbox_options, settings_of_account};

/// The path of a push, with the secret of these tests in it.
pub const CALL: &str = "/callback/s3cret/workflow/call-finished";
pub const LIST: &str = "/callback/s3cret/workflow/list-finished";
pub const BODY: &str = r#"{"workflow_id":"w1","workflow_name":"n","nodetask_id":"1001","nodetask_name":"Outbound call","case_id":"c1","TaskID":"t1","CallID":"call-1","Mobile":"+15550100","Status":"Finished","big":9007199254740993,"extra":{"kept":true}}"#;
pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A gateway that takes pushes, with the receivers that `receivers` writes as YAML.
pub struct Bridge {
    pub stage: Stage,
    pub public: Client,
}

impl Bridge {
    pub async fn start(receivers: &str) -> Self {
        Self::with(receivers, "", "").await
    }

    /// `of_public` is the inside of a mapping, `more` stands at the end of the settings.
    pub async fn with(receivers: &str, of_public: &str, more: &str) -> Self {
        Self::in_folder(TempDir::new().unwrap(), receivers, of_public, more).await
    }

    pub async fn in_folder(folder: TempDir, receivers: &str, of_public: &str, more: &str) -> Self {
        let sandbox = Sandbox::start(sandbox_options()).await.unwrap();
        let settings = inbound_settings(&sandbox.url(), receivers, of_public, more);
        let stage = Stage::start_in(folder, sandbox, &settings).await;
        let public = stage.app.addresses().public.unwrap();
        let public = Client::new(&format!("http://{public}"));
        Self { stage, public }
    }

    /// The deliveries that the admin listener lists for a query.
    pub async fn listed(&self, query: &str) -> Vec<serde_json::Value> {
        let path = format!("/deliveries?{query}");
        let found = self.stage.admin().get(&path).await.json();
        found["deliveries"].as_array().unwrap().clone()
    }
}

/// Settings with a public listener on a free port, and quick retries.
pub fn inbound_settings(url: &str, receivers: &str, of_public: &str, more: &str) -> String {
    let inbound = format!(
        "public: {{ listen: \"127.0.0.1:0\", secrets: {{ callback_path: \"literal:s3cret\" }}, \
         {of_public} }}\njournal: {{ folder: journal }}\nreceivers:\n{receivers}\n{more}"
    );
    settings_of_account(url, "", &inbound)
}

/// A receiver in the settings, with quick retries; `more` is the inside of a mapping.
pub fn receiver(name: &str, receiver: &Receiver, more: &str) -> String {
    format!(
        "  {name}: {{ url: \"{}\", retry: {{ first: 100ms, max: 400ms }}, {more} }}\n",
        receiver.url()
    )
}
