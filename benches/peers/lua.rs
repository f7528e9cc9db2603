//! nginx with Lua, as people build such gateways: OpenSSL by FFI, `cjson` for bodies.

use tempfile::TempDir;

use crate::case::{Case, KEY, Work};
use crate::contestant::{Contestant, TOKEN, started, write};
use crate::process::{Process, free_port};

pub(crate) fn nginx_lua(case: &Case, upstream: u16) -> Contestant {
    let (port, folder) = (free_port(), TempDir::new().unwrap());
    let of = folder.path().display();
    write(folder.path(), "gateway.lua", GATEWAY);
    let location = if case.work == Work::Lead {
        "location /in/lead {
           access_by_lua_block { gateway.lead() }
           header_filter_by_lua_block { ngx.header.content_length = nil }
           body_filter_by_lua_block { gateway.answer() }
           proxy_pass http://up/s;
         }"
    } else {
        "location / {
           access_by_lua_block { gateway.seal() }
           header_filter_by_lua_block { ngx.header.content_length = nil }
           body_filter_by_lua_block { gateway.open() }
           proxy_pass http://up;
         }"
    };
    let text = format!(
        "load_module /usr/lib/nginx/modules/ndk_http_module.so;
         load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
         daemon off; worker_processes 1; worker_rlimit_nofile 20000;
         pid {of}/pid; error_log {of}/error.log warn;
         events {{ worker_connections 20000; multi_accept on; }}
         http {{
           access_log off; server_tokens off; tcp_nodelay on;
           keepalive_requests 1000000000; keepalive_timeout 3600s; client_body_buffer_size 256k;
           client_body_temp_path {of}/body; proxy_temp_path {of}/proxy;
           lua_package_path \"{of}/?.lua;;\";
           init_by_lua_block {{ require \"resty.core\"; gateway = require \"gateway\"; gateway.begin(\"{KEY}\") }}
           upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
           server {{
             listen 127.0.0.1:{port} backlog=4096;
             proxy_http_version 1.1; proxy_set_header Connection \"\";
             proxy_set_header Authorization \"Bearer {TOKEN}\";
             proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_max_temp_file_size 0;
             {location}
           }}
         }}"
    );
    let path = write(folder.path(), "nginx.conf", &text);
    let words = ["nginx", "-p", folder.path().to_str().unwrap(), "-c", &path];
    let process = Process::on_own_core(&words, folder.path());
    started("nginx-lua", port, process, folder)
}

/// AES-256-CBC with the IV before the text, all in Base64; a lead as the call that Pintle makes of it.
const GATEWAY: &str = r#"
local ffi = require "ffi"
local cjson = require "cjson.safe"
ffi.cdef [[
typedef struct evp_cipher_st EVP_CIPHER;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
const EVP_CIPHER *EVP_aes_256_cbc(void);
EVP_CIPHER_CTX *EVP_CIPHER_CTX_new(void);
int EVP_CipherInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, void *, const char *, const char *, int);
int EVP_CipherUpdate(EVP_CIPHER_CTX *, char *, int *, const char *, int);
int EVP_CipherFinal_ex(EVP_CIPHER_CTX *, char *, int *);
int RAND_bytes(char *, int);
]]
local openssl = ffi.load "libcrypto.so.3"
local cipher, context = openssl.EVP_aes_256_cbc(), openssl.EVP_CIPHER_CTX_new()
local written, vector = ffi.new "int[1]", ffi.new "char[16]"
local key, room, out

local function crypt(text, iv, seals)
  local wanted = #text + 32
  if not room or room < wanted then
    room = wanted * 2
    out = ffi.new("char[?]", room)
  end
  if openssl.EVP_CipherInit_ex(context, cipher, nil, key, iv, seals) ~= 1 then return nil end
  if openssl.EVP_CipherUpdate(context, out, written, text, #text) ~= 1 then return nil end
  local first = written[0]
  if openssl.EVP_CipherFinal_ex(context, out + first, written) ~= 1 then return nil end
  return ffi.string(out, first + written[0])
end

local function asked()
  ngx.req.read_body()
  return ngx.req.get_body_data()
end

-- The whole reply, once its last piece is here.
local function whole()
  local pieces = ngx.ctx.pieces or {}
  ngx.ctx.pieces = pieces
  pieces[#pieces + 1] = ngx.arg[1]
  ngx.arg[1] = nil
  return ngx.arg[2] and table.concat(pieces)
end

local M = {}

function M.begin(hex)
  key = hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
end

function M.seal()
  openssl.RAND_bytes(vector, 16)
  local iv = ffi.string(vector, 16)
  ngx.req.set_body_data(ngx.encode_base64(iv .. crypt(asked(), iv, 1)))
end

function M.open()
  local text = whole()
  if not text then return end
  local sealed = ngx.decode_base64(text)
  ngx.arg[1] = sealed and crypt(sealed:sub(17), sealed:sub(1, 16), 0) or "broken"
end

function M.lead()
  if ngx.req.get_headers()["x-api-key"] ~= "k" then return ngx.exit(401) end
  local lead = cjson.decode(asked())
  local digits = lead and lead.phone and lead.phone:gsub("%D", "")
  if not digits or #digits ~= 10 then return ngx.exit(422) end
  ngx.req.set_body_data(cjson.encode {
    callee = "+1" .. digits,
    callee_name = lead.first .. " " .. lead.last,
    case_id = lead.id,
    variables = { email = lead.email, state = lead.state },
  })
end

function M.answer()
  local text = whole()
  if not text then return end
  ngx.arg[1] = text and '{"status":"ok"}'
end

return M
"#;
