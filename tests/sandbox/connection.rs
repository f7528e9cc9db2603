//! The protocols, and the end of a sandbox.

use super::*;

#[tokio::test]
async fn http2_is_spoken_on_the_same_port() {
    let stage = Stage::set().await;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let ask = async |fault: &str| {
        let request = Request::get(format!("{}{ROBOTS}", stage.sandbox.url()))
            .header("authorization", format!("Token {}", stage.token))
            .header("x-sandbox-fault", fault)
            .body(Full::default())
            .unwrap();
        let reply = within(client.request(request))
            .await
            .map_err(|_| Bytes::new())?;
        read(reply.into_body()).await.map_err(|(before, _)| before)
    };
    assert!(ask("").await.is_ok());
    assert_eq!(
        stage.sandbox.seen().last().unwrap().protocol,
        Version::HTTP_2
    );
    assert_eq!(ask("truncate=9").await.unwrap_err().len(), 9);
    assert_eq!(ask("reset-after=9").await.unwrap_err().len(), 9);
    assert_eq!(ask("reset").await.unwrap_err().len(), 0);
    assert_eq!(ask("nonsense").await.unwrap_err().len(), 0);
    let before = stage.sandbox.seen().last().unwrap().connection;
    assert!(ask("close").await.is_ok());
    assert!(ask("").await.is_ok());
    assert!(stage.sandbox.seen().last().unwrap().connection > before + 1);
}

#[tokio::test]
async fn tls_is_spoken_where_it_is_asked_for() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut options = Options::local("127.0.0.1:0".parse().unwrap());
    options.tls = Some(Arc::new(server));
    let sandbox = Sandbox::start(options).await.unwrap();
    assert!(sandbox.url().starts_with("https://"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    for (fault, start) in [("close", "HTTP/1.1 200"), ("nonsense", "SSH-2.0-sand")] {
        let socket = TcpStream::connect(sandbox.address()).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, socket).await.unwrap();
        let head = "POST /service/cloud/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 48\r\n";
        let body = "APPKey=sandbox-key&APPSecret=sandbox-secret&x=123";
        let body = &body[..48];
        let text = format!("{head}x-sandbox-fault: {fault}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut got = [0; 12];
        within(stream.read_exact(&mut got)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), start);
    }
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_address() {
    let stage = Stage::set().await;
    let address = stage.sandbox.address();
    within(stage.sandbox.stop()).await;
    let again = Sandbox::start(Options::local(address)).await.unwrap();
    assert_eq!(again.address(), address);
}
