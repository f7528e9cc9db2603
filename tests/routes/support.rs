//! A route of the test's own, on a whole gateway in front of stand-ins.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use pintle::rehearsal::{Expected, Part, Played, Push, Setting, Stage, Turn};
use pintle::sandbox::Canned;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const NOW_MS: i64 = 1_773_158_400_000;

/// A gateway with one route, and the folder that its routes are in.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    _folder: TempDir,
}

/// A gateway that runs the route `text`, beside the catalogue.
pub(crate) async fn scene(text: &str) -> Scene {
    let folder = TempDir::new().unwrap();
    copy(std::path::Path::new("routes"), folder.path());
    std::fs::write(folder.path().join("tried.yaml"), text).unwrap();
    let setting = Setting {
        routes: Some(folder.path().to_path_buf()),
        policies: None,
        run: vec![Part {
            route: "tried".to_owned(),
            settings: json!({}),
            secrets: BTreeMap::new(),
        }],
        url: "https://gateway.example".to_owned(),
        now_ms: NOW_MS,
    };
    let stage = Stage::start(&setting).await;
    let stage = stage.unwrap_or_else(|why| panic!("{why:?}"));
    Scene {
        stage,
        _folder: folder,
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// A push of JSON to the route.
pub(crate) fn push(body: &Value) -> Push {
    let json = HeaderValue::from_static("application/json");
    Push {
        method: Method::POST,
        target: "/in/tried".to_owned(),
        headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, json)]),
        body: body.to_string().into(),
    }
}

/// An answer of a stand-in.
pub(crate) fn answer(of: &str, status: u16, body: &Value) -> (String, Canned) {
    let canned = Canned {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        delay: Duration::ZERO,
    };
    (of.to_owned(), canned)
}

/// A yes of the platform.
pub(crate) fn yes(of: &str) -> (String, Canned) {
    answer(of, 200, &json!({ "code": 200, "data": {} }))
}

/// An answer that takes longer than the route waits.
pub(crate) fn late(of: &str) -> (String, Canned) {
    let (of, mut canned) = yes(of);
    canned.delay = Duration::from_secs(3);
    (of, canned)
}

impl Scene {
    /// Makes one turn.
    pub(crate) async fn play(&self, body: &Value, answers: Vec<(String, Canned)>) -> Played {
        let turn = Turn {
            now_ms: None,
            push: Some(push(body)),
            event: None,
            answers,
            expected: Expected::default(),
        };
        self.stage.play(&turn).await.unwrap()
    }
}

/// The status and the JSON of the answer.
pub(crate) fn told(played: &Played) -> (u16, Value) {
    let reply = played.reply.as_ref().unwrap();
    let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    (reply.status.as_u16(), body)
}

/// The operations and steps that were called, in their order.
pub(crate) fn called(played: &Played) -> Vec<&str> {
    played.calls.iter().map(|made| made.of.as_str()).collect()
}
