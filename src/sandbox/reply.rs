//! What an operation is asked and what it answers, before HTTP: the ask, the answer, the refusal,
//! and the envelope of each family.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use bytes::Bytes;

use crate::sandbox::body::{Cut, ReplyBody, Source};

/// The envelope that a group of operations wraps its answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// `/service/cloud/**`: `data`, `status`, and `code` 200 for success.
    Cloud,
    /// `/service/callcenter/**` and `/service/sms/**`: `body`, `message`, and `code` 0 for success.
    Callcenter,
    /// The approval engine of `/api/v1/process/**`: `data`, `msg`, and `retcode` 0 for success.
    Process,
    /// No envelope.
    Bare,
}

impl Family {
    /// The family that answers for `path`, known or not.
    pub(super) fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("/service/callcenter/") => Family::Callcenter,
            path if path.starts_with("/service/sms/") => Family::Callcenter,
            path if path.starts_with("/api/v1/process/") => Family::Process,
            "/login" => Family::Bare,
            _ => Family::Cloud,
        }
    }

    /// Wraps the payload of a success.
    pub(super) fn wrap(self, payload: Value) -> Value {
        match self {
            Family::Cloud => json!({ "data": payload, "status": "OK", "code": 200 }),
            Family::Callcenter => {
                json!({ "code": 0, "message": "successfully", "body": payload })
            }
            Family::Process | Family::Bare => payload,
        }
    }

    /// The reply that says no.
    pub(super) fn refuse(self, refusal: &Refusal) -> Reply {
        let (code, text) = (refusal.code, refusal.text.as_str());
        let value = match self {
            Family::Cloud => {
                json!({ "data": null, "status": "FAIL", "message": text, "code": code })
            }
            Family::Callcenter => json!({ "code": code, "message": text, "body": null }),
            Family::Process => {
                json!({ "data": null, "msg": text, "retcode": code, "traceId": "" })
            }
            Family::Bare => json!({ "error": text, "code": code }),
        };
        Reply::json(refusal.status, &value)
    }
}

/// Why an operation was not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Code in the envelope.
    pub(super) code: i64,
    /// Text in the envelope.
    pub(super) text: String,
}

impl Refusal {
    /// A refusal for a reason of business: HTTP 200, the code speaks.
    pub(super) fn business(code: i64, text: impl Into<String>) -> Self {
        Refusal {
            status: StatusCode::OK,
            code,
            text: text.into(),
        }
    }

    /// A fault in the fields of a cloud call.
    pub(super) fn field(text: impl Into<String>) -> Self {
        Refusal::business(400, text)
    }

    /// A refusal whose HTTP status and code are the same number.
    pub(super) fn http(status: StatusCode, text: impl Into<String>) -> Self {
        Refusal {
            status,
            code: i64::from(status.as_u16()),
            text: text.into(),
        }
    }
}

/// What an operation answers.
pub(super) enum Answer {
    /// A payload, to be wrapped by the family.
    Data(Value),
    /// A whole reply.
    Reply(Reply),
}

/// The outcome of an operation.
pub(super) type Outcome = Result<Answer, Refusal>;

/// What an operation is asked.
pub(super) struct Ask<'a> {
    /// Query string; empty where there is none.
    pub(super) query: &'a str,
    /// Request headers.
    pub(super) headers: &'a HeaderMap,
    /// Body, whole unless the route is a sink.
    pub(super) body: &'a [u8],
    /// Length of the body in bytes, kept or not.
    pub(super) body_bytes: u64,
    /// The token that a fault wants handed out.
    pub(super) token: Option<&'a str>,
}

impl Ask<'_> {
    /// A parameter of the query string, decoded; the first of its name.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        form_field(self.query, name)
    }

    /// A parameter of the query string that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.parameter(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::field(format!("{name} is required")))
    }

    /// A whole number of the query string.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.parameter(name)
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| Refusal::field(format!("{name} must be a whole number")))
    }

    /// The body as a JSON object.
    pub(super) fn object(&self) -> Result<Fields, Refusal> {
        match serde_json::from_slice(self.body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(Refusal::field("the body must be a JSON object")),
            Err(_) => Err(Refusal::field("the body is not JSON")),
        }
    }

    /// The value of `name` in a body that is either a JSON object or a form.
    pub(super) fn credential(&self, name: &str) -> Option<String> {
        match serde_json::from_slice::<Value>(self.body) {
            Ok(value) => value.get(name)?.as_str().map(str::to_owned),
            Err(_) => form_field(std::str::from_utf8(self.body).ok()?, name),
        }
    }
}

/// The fields of a JSON object, read under the rules of the platform.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// A text that must be there and not be empty.
    pub(super) fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.optional(name).ok_or_else(|| match self.0.get(name) {
            None | Some(Value::Null) => Refusal::field(format!("{name} is required")),
            Some(_) => Refusal::field(format!("{name} must be a string that is not empty")),
        })
    }

    /// A text that may be there.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A whole number that must be there.
    pub(super) fn integer(&self, name: &str) -> Result<i64, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Err(Refusal::field(format!("{name} is required"))),
            Some(value) => value
                .as_i64()
                .ok_or_else(|| Refusal::field(format!("{name} must be an integer"))),
        }
    }

    /// Takes a list out; `None` where it is absent.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Refusal::field(format!("{name} must be an array"))),
        }
    }
}

/// A reply before it is put on the wire.
pub(super) struct Reply {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Headers, `Content-Type` among them.
    pub(super) headers: HeaderMap,
    /// Body.
    pub(super) source: Source,
}

impl Reply {
    /// A reply of `kind` held in memory.
    pub(super) fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Self {
        Reply::new(status, kind, Source::Whole(body.into()))
    }

    /// A reply whose body comes from `source`.
    pub(super) fn new(status: StatusCode, kind: &'static str, source: Source) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Reply {
            status,
            headers,
            source,
        }
    }

    /// A JSON reply.
    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        Reply::whole(status, "application/json", value.to_string())
    }

    /// The HTTP reply, sent at `rate` and broken off at `cut`.
    pub(super) fn send(self, rate: Option<u64>, cut: Option<Cut>) -> Response<ReplyBody> {
        let mut headers = self.headers;
        if cut.is_some() && self.source.announced() {
            // A body that is cut hides its length from hyper; the promise is made here.
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.source.left()));
        }
        let mut response = Response::new(ReplyBody::new(self.source, rate, cut));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// Whether a number is E.164 with its plus sign: 7 to 15 digits, the first not zero.
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn form_field(form: &str, name: &str) -> Option<String> {
    form.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(value)).flatten()
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_field_is_decoded() {
        assert_eq!(
            form_field("a=1&APPKey=x%2By+z", "APPKey").as_deref(),
            Some("x+y z")
        );
        assert_eq!(form_field("a=1", "APPKey"), None);
    }

    #[test]
    fn only_international_numbers_are_numbers() {
        for (number, right) in [
            ("+8613711112222", true),
            ("+15550100", true),
            ("8613711112222", false),
            ("+0123456789", false),
            ("+1555x100", false),
            ("+", false),
            ("+1234567890123456", false),
        ] {
            assert_eq!(is_e164(number), right, "{number}");
        }
    }

    #[test]
    fn each_family_has_its_own_envelope() {
        let wrapped = |family: Family| family.wrap(json!(1)).to_string();
        assert_eq!(
            wrapped(Family::Cloud),
            r#"{"data":1,"status":"OK","code":200}"#
        );
        assert_eq!(
            wrapped(Family::Callcenter),
            r#"{"code":0,"message":"successfully","body":1}"#
        );
    }
}
