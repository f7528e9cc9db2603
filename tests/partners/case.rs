//! One case: read from its folder, played, compared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use pintle::codec::{Format, Limits, decode};
use pintle::rehearsal::{Expected, Played, Push, Setting, Stage, Turn};
use pintle::sandbox::Canned;
use serde_json::Value;

use crate::{neutral, setting};

pub(crate) struct Case {
    pub(crate) id: String,
    folder: PathBuf,
    document: Value,
}

impl Case {
    pub(crate) fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("case.json")).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        Self {
            id: document["id"].as_str().unwrap().to_owned(),
            folder: folder.to_owned(),
            document,
        }
    }

    fn contract(&self) -> &str {
        self.document["contract"].as_str().unwrap()
    }

    fn file(&self, name: &Value) -> Bytes {
        std::fs::read(self.folder.join(name.as_str().unwrap()))
            .unwrap()
            .into()
    }

    /// Plays every step, and tells what was not as expected.
    pub(crate) async fn play(&self) -> Vec<String> {
        let env = self.document["env"].as_object().unwrap();
        let run = setting::parts(self.contract(), env);
        let url = env.get("PUBLIC_BASE").and_then(Value::as_str);
        let setting = Setting {
            routes: None,
            policies: None,
            run,
            url: url.unwrap_or("https://gateway.example").to_owned(),
            now_ms: moment(&self.document["now"]),
        };
        let mut stage = Stage::start(&setting)
            .await
            .unwrap_or_else(|why| panic!("{}: {why:?}", self.id));
        let mut wrong = Vec::new();
        for seen in self.document["state"]["seen"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let key = seen["key"].as_str().unwrap();
            let until_ms = moment(&seen["at"]) + 30 * 86_400_000;
            stage
                .has_seen(&setting.run[0].route, &[key], until_ms)
                .await
                .unwrap();
        }
        for (at, step) in self.document["steps"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            // The same event told again is a repeat, and a case that shows another end of it means
            // another day.
            if at > 0
                && step.get("event_file") == self.document["steps"][at - 1].get("event_file")
                && step.get("event_file").is_some()
            {
                stage.end().await;
                stage = Stage::start(&setting).await.unwrap();
            }
            match stage.play(&self.turn(step)).await {
                Ok(played) => self.compare(step, &played, &mut wrong),
                Err(why) => wrong.push(why),
            }
        }
        stage.end().await;
        wrong
    }

    fn turn(&self, step: &Value) -> Turn {
        let event = step.get("event_file").map(|name| {
            let event = self.file(name);
            serde_json::from_slice(&event).unwrap()
        });
        let answers = step["stubs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stub| self.answer(stub));
        Turn {
            now_ms: step.get("now").map(moment),
            push: step.get("request").map(|request| self.push(request)),
            event,
            answers: answers.collect(),
            expected: Expected::default(),
        }
    }

    fn push(&self, request: &Value) -> Push {
        let mut target = request["path"].as_str().unwrap().to_owned();
        if let Some(query) = request.get("query") {
            let query = pintle::codec::encode(Format::Form, query).unwrap();
            target = format!("{target}?{}", std::str::from_utf8(&query.body).unwrap());
        }
        let headers = request["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            let value: HeaderValue = value.as_str().unwrap().parse().unwrap();
            (name, value)
        });
        Push {
            method: request["method"]
                .as_str()
                .unwrap()
                .parse::<Method>()
                .unwrap(),
            target,
            headers: headers.collect(),
            body: request
                .get("body_file")
                .map_or_else(Bytes::new, |name| self.file(name)),
        }
    }

    fn answer(&self, stub: &Value) -> (String, Canned) {
        let call = stub["call"].as_str().unwrap();
        let response = &stub["response"];
        let body = match response.get("json") {
            Some(document) => neutral::answer(call, document).to_string(),
            None => response["text"].as_str().unwrap_or_default().to_owned(),
        };
        let mut headers = HeaderMap::new();
        if let Some(media) = response.get("content_type").and_then(Value::as_str) {
            headers.insert(http::header::CONTENT_TYPE, media.parse().unwrap());
        }
        let status = response["status"].as_u64().unwrap();
        let canned = Canned {
            status: StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap(),
            headers,
            body: body.into(),
            delay: Duration::from_millis(response["delay_ms"].as_u64().unwrap_or(0)),
        };
        (neutral::of(self.contract(), call), canned)
    }

    fn compare(&self, step: &Value, played: &Played, wrong: &mut Vec<String>) {
        let expect = &step["expect"];
        self.compare_calls(expect, played, wrong);
        // What proves a sender, or us, is stored nowhere.
        let env = self.document["env"].as_object().unwrap();
        for part in setting::parts(self.contract(), env) {
            for (name, secret) in part.secrets {
                if secret != "unused" && played.stored.contains(&secret) {
                    wrong.push(format!("the secret {name} is stored"));
                }
            }
        }
        self.compare_reply(&expect["response"], played, wrong);
        if let Some(Value::Array(consents)) = expect.get("consent_records") {
            differ(
                "consent",
                &Value::from(consents.clone()),
                &Value::from(played.consents.clone()),
                wrong,
            );
        }
        if let Some(result) = expect.get("result") {
            differ(
                "result",
                result,
                played.results.first().unwrap_or(&Value::Null),
                wrong,
            );
        }
        let mut calls = String::new();
        for made in &played.calls {
            calls.push_str(&made.url);
            calls.push_str(&String::from_utf8_lossy(&made.body));
        }
        for text in expect["forbidden_strings"].as_array().into_iter().flatten() {
            let text = text.as_str().unwrap();
            let reply = played
                .reply
                .as_ref()
                .map(|reply| String::from_utf8_lossy(&reply.body).into_owned());
            for (place, held) in [
                ("stored", &played.stored),
                ("calls", &calls),
                ("reply", &reply.unwrap_or_default()),
            ] {
                if held.contains(text) {
                    wrong.push(format!("{text} is in {place}"));
                }
            }
        }
    }

    fn compare_calls(&self, expect: &Value, played: &Played, wrong: &mut Vec<String>) {
        let expected = expect["calls"].as_array().unwrap();
        let mut made: Vec<_> = played.calls.iter().collect();
        if expect["calls_any_order"] == true {
            made.sort_by_key(|made| {
                let place = |call: &Value| {
                    neutral::of(self.contract(), call["name"].as_str().unwrap()) == made.of
                };
                expected.iter().position(place)
            });
        }
        let seen: Vec<Value> = made
            .iter()
            .enumerate()
            .map(|(at, made)| {
                neutral::call(
                    self.contract(),
                    made,
                    expected.get(at).unwrap_or(&Value::Null),
                )
            })
            .collect();
        differ(
            "calls",
            &Value::from(expected.clone()),
            &Value::from(seen),
            wrong,
        );
        for (call, made) in expected.iter().zip(&made) {
            if let Some(name) = call.get("body_file") {
                let (wanted, seen) = (self.file(name), &made.body);
                if wanted.trim_ascii_end() != seen.as_ref() {
                    wrong.push(format!("body: {}", String::from_utf8_lossy(seen)));
                }
            }
        }
    }

    fn compare_reply(&self, expected: &Value, played: &Played, wrong: &mut Vec<String>) {
        let (Some(reply), false) = (&played.reply, expected.is_null()) else {
            return;
        };
        differ(
            "status",
            &expected["status"],
            &Value::from(reply.status.as_u16()),
            wrong,
        );
        if let Some(media) = expected.get("content_type") {
            let seen = reply
                .headers
                .get("content-type")
                .and_then(|value| value.to_str().ok());
            let seen = seen
                .unwrap_or_default()
                .split(';')
                .next()
                .unwrap_or_default();
            differ("content type", media, &Value::from(seen), wrong);
        }
        if let Some(text) = expected.get("text") {
            differ(
                "text",
                text,
                &Value::from(String::from_utf8_lossy(&reply.body).as_ref()),
                wrong,
            );
        }
        let read = |format, text: &[u8]| decode(format, None, None, text, &Limits::default());
        if let Some(document) = expected.get("json") {
            let seen = read(Format::Json, &reply.body).unwrap_or(Value::Null);
            differ("json", document, &seen, wrong);
        }
        if let Some(name) = expected.get("xml_file") {
            let wanted = read(Format::Xml, &self.file(name)).unwrap();
            let seen = read(Format::Xml, &reply.body).unwrap_or(Value::Null);
            differ("xml", &wanted, &seen, wrong);
        }
    }
}

fn differ(what: &str, expected: &Value, seen: &Value, wrong: &mut Vec<String>) {
    if expected != seen {
        wrong.push(format!("{what}\n  expected {expected}\n  seen     {seen}"));
    }
}

fn moment(text: &Value) -> i64 {
    let moment: Timestamp = text.as_str().unwrap().parse().unwrap();
    moment.as_millisecond()
}
