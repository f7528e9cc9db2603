//! Sealing, end to end: what goes over the wire is opened with OpenSSL, which nobody here wrote.

mod failure;
mod key;
mod oracle;
mod wire;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pintle::config;
use pintle::policy::{Policies, SealingChoice};
use pintle::sandbox::{Options, Sandbox, Seals, Seen};
use pintle::yaml::{Faults, Source};
use tempfile::TempDir;

use crate::support::{Client, Reply, Stage, sandbox_options, settings_of_account};

const ADD: &str = "/service/cloud/workflow/uploaddetails";
const CREATE: &str = "/service/cloud/workflow/createinstance";
const ROBOTS: &str = "/service/cloud/robot";
const KEY: &str = "airudderredduria";
const MAC: &str = "a key of the tag";
const INSTANCE: &str =
    r#"{"workflow_template_id":1,"name":"张三","end_time":"2030-01-01 00:00:00+08:00"}"#;

/// One sealing for each way in which something can be placed.
const SEALINGS: &str = "sealings:
  prefixed:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: base64url
    mac: appended
    request: { query: whole, body: whole }
    reply: { body: whole, plain: errors }
  headers:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: hex
    iv: { header: x-iv }
    mac: { header: x-mac }
    key_id: { header: x-key }
    announce: { x-sealed: \"yes\" }
    request: { query: whole, body: whole }
    reply: { body: whole, plain: allowed }
  wrapped:
    source: assumed
    scheme: aes-cbc
    keys: aes
    iv: { field: iv }
    mac: { field: mac }
    key_id: { field: kid }
    request: { body: { wrap: data } }
    reply: { body: { wrap: data }, plain: allowed }
  fields:
    source: assumed
    scheme: aes-cbc
    keys: aes
    mac: appended
    request: { body: { fields: [\"$.name\", \"$.details[*].variables.id_card\"] } }
    reply: { body: { fields: [\"$.data.workflow_id\"] }, plain: errors }
  raw:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: raw
    request: { body: whole }
    reply: { body: whole, plain: errors }
  fixed:
    source: assumed
    scheme: aes-cbc
    keys: aes
    encoding: hex
    iv: { fixed: 000102030405060708090a0b0c0d0e0f, legacy: true }
    request: { body: whole }
    reply: { body: whole, plain: errors }
";

/// The policies of the project, with the sealings of this test.
fn policy_files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = std::fs::read_dir("policies")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.push(("more.yaml".to_owned(), SEALINGS.to_owned()));
    files
}

pub(crate) fn seals(name: &str, key: &str) -> Seals {
    let faults = Faults::new();
    let sources: Vec<Arc<Source>> = policy_files()
        .into_iter()
        .map(|(name, text)| Source::new(name, text))
        .collect();
    let policies = Policies::read(&sources, &faults);
    let SealingChoice::By(sealing) = policies.sealings.get(name).unwrap().as_ref() else {
        panic!("{name} seals nothing");
    };
    let mac = sealing.is_tagged.then(|| format!("literal:{MAC}"));
    let keys = config::keyring(&format!("literal:{key}"), mac.as_deref(), "text");
    Seals {
        sealing: Arc::clone(sealing),
        keys: Arc::new(keys.unwrap()),
    }
}

/// A gateway and a platform that both seal by `name`.
async fn stage(name: &str) -> Stage {
    let options = sealing_platform(name);
    let keys = format!("aes: [{}]", key_entry(name, "1", KEY));
    stage_with(options, &format!("sealing: {name}, keys: {{ {keys} }}")).await
}

fn key_entry(name: &str, id: &str, key: &str) -> String {
    let mac = if seals(name, KEY).sealing.is_tagged {
        format!(", mac: \"literal:{MAC}\"")
    } else {
        String::new()
    };
    format!("{{ id: \"{id}\", key: \"literal:{key}\"{mac} }}")
}

async fn stage_with(options: Options, of_account: &str) -> Stage {
    stage_in(folder(|text| text), options, of_account, "").await
}

/// A folder with policies in it, changed.
pub(crate) fn folder(change: impl Fn(String) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    for (name, text) in policy_files() {
        let path = folder.path().join("policies").join(name);
        std::fs::write(path, change(text)).unwrap();
    }
    folder
}

async fn stage_in(folder: TempDir, options: Options, of_account: &str, more: &str) -> Stage {
    let sandbox = Sandbox::start(options).await.unwrap();
    let more = format!("policies: policies\n{more}");
    let settings = settings_of_account(&sandbox.url(), of_account, &more);
    Stage::start_in(folder, sandbox, &settings).await
}

/// A platform that seals by `name`.
fn sealing_platform(name: &str) -> Options {
    Options {
        seals: Some(seals(name, KEY)),
        ..sandbox_options()
    }
}

/// What OpenSSL makes of a text; the block cipher's own padding is left where it is.
fn openssl(cipher: &str, key: &str, iv: Option<&str>, sealed: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["enc", "-d", cipher, "-nopad", "-K", &hex(key.as_bytes())]);
    if let Some(iv) = iv {
        command.args(["-iv", iv]);
    }
    piped(command, sealed)
}

pub(crate) fn piped(mut command: Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is here: apt-get install openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn from_base64(text: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["base64", "-d", "-A"]);
    piped(command, text)
}

fn from_base64url(text: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = text
        .iter()
        .map(|letter| match letter {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    while !text.len().is_multiple_of(4) {
        text.push(b'=');
    }
    from_base64(&text)
}

fn sha256(text: &[u8]) -> String {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-r"]);
    let told = String::from_utf8(piped(command, text)).unwrap();
    told.split_whitespace().next().unwrap().to_owned()
}

fn hmac(text: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let key = format!("hexkey:{}", hex(MAC.as_bytes()));
    command.args([
        "dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "-binary",
    ]);
    piped(command, text)
}

/// Opens what the platform's scheme sealed, and checks its digest.
fn open_airudder(text: &[u8], signed: &str) -> String {
    let mut plain = openssl("-aes-128-ecb", KEY, None, &from_base64(text));
    let padding = plain.iter().rev().take_while(|byte| **byte == 0).count();
    assert!((1..=16).contains(&padding), "{padding} zero bytes");
    plain.truncate(plain.len() - padding);
    assert_eq!(sha256(&plain), signed);
    String::from_utf8(plain).unwrap()
}

/// Opens IV and ciphertext.
fn open_cbc(iv: &[u8], text: &[u8]) -> String {
    let mut plain = openssl("-aes-128-cbc", KEY, Some(&hex(iv)), text);
    let padding = *plain.last().unwrap();
    let kept = plain.len() - usize::from(padding);
    assert!(plain.drain(kept..).all(|byte| byte == padding));
    String::from_utf8(plain).unwrap()
}

fn header<'s>(seen: &'s Seen, name: &str) -> &'s str {
    seen.headers[name].to_str().unwrap()
}

/// What a body on the wire says, opened the way its sealing has it, and the tag checked.
fn opened_by_openssl(name: &str, body: &[u8], header: impl Fn(&str) -> String) -> String {
    let field = |name: &str| {
        let object: serde_json::Value = serde_json::from_slice(body).unwrap();
        from_base64(object[name].as_str().unwrap().as_bytes())
    };
    match name {
        "airudder" => open_airudder(body, &header("signed")),
        "prefixed" => {
            let bytes = from_base64url(body);
            let (text, tag) = bytes.split_at(bytes.len() - 32);
            assert_eq!(hmac(text), tag);
            open_cbc(&text[..16], &text[16..])
        }
        "headers" => {
            let (iv, text) = (
                from_hex(&header("x-iv")),
                std::str::from_utf8(body).unwrap(),
            );
            let text = from_hex(text);
            assert_eq!(
                hmac(&[iv.as_slice(), &text].concat()),
                from_hex(&header("x-mac"))
            );
            open_cbc(&iv, &text)
        }
        "wrapped" => {
            let (iv, text) = (field("iv"), field("data"));
            assert_eq!(hmac(&[iv.as_slice(), &text].concat()), field("mac"));
            open_cbc(&iv, &text)
        }
        "raw" => open_cbc(&body[..16], &body[16..]),
        "fixed" => {
            let iv: Vec<u8> = (0..16).collect();
            open_cbc(&iv, &from_hex(std::str::from_utf8(body).unwrap()))
        }
        other => panic!("{other}"),
    }
}

/// Sends once more what the platform saw, straight to it: the reply as it is on the wire.
async fn on_the_wire(stage: &Stage, seen: &Seen) -> Reply {
    let client = Client::new(&stage.sandbox.url());
    let headers: Vec<(&str, &str)> = seen
        .headers
        .iter()
        .filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    let method = seen.method.as_str();
    client
        .send_bytes(method, &seen.target, &headers, seen.body.clone())
        .await
}
