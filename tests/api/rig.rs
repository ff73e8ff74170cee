//! The API of an appliance in a temporary folder, and ways to ask it.

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use kickstand::assets::Assets;
use kickstand::engine::{Engine, Parts};
use kickstand::http;
use kickstand::http::auth::Peer;
use kickstand::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;
use tower::ServiceExt;

pub const ROOT: Option<Peer> = Some(Peer::Socket { uid: 0 });

pub struct Api {
    router: Router,
    pub engine: Arc<Engine>,
    _folder: TempDir,
}

impl Api {
    /// An empty appliance at 10.0.0.1, with the files of one installer.
    pub async fn start() -> Api {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        std::fs::create_dir_all(files.join("debian")).unwrap();
        std::fs::create_dir_all(files.join("agent")).unwrap();
        std::fs::write(files.join("agent/kickstand-agent"), "x").unwrap();
        ["linux", "initrd.gz"].iter().for_each(|name| std::fs::write(files.join("debian").join(name), "x").unwrap());
        let store = Store::open(&format!("sqlite://{}/kickstand.db", folder.path().display())).await.unwrap();
        let parts = Parts {
            store,
            assets: Assets { operator: None },
            files,
            loaders: Vec::new(),
            http_port: 80,
            https_port: None,
            addresses: vec!["10.0.0.1".parse().unwrap()],
            lifetimes: Default::default(),
        };
        let engine = Engine::new(parts).await.unwrap();
        engine.spell_by(kickstand::dhcp::paper::spell);
        let router = http::routes(engine.clone());
        Api { router, engine, _folder: folder }
    }

    /// One network, key, distro and profile, and a machine: what most stories begin with.
    pub async fn furnished() -> Api {
        let api = Api::start().await;
        api.add("networks", json!({"name": "lab", "cidr": "10.0.0.0/24", "pools": ["10.0.0.100-10.0.0.199"]})).await;
        api.add("keys", json!({"name": "web"})).await;
        let files = json!({"name": "debian", "family": "debian", "kernel": "debian/linux", "initrd": "debian/initrd.gz", "variables": {"mirror_host": "mirror.example"}});
        api.add("distros", files).await;
        api.add("profiles", json!({"name": "web", "distro": "debian", "key": "web"})).await;
        api.add("ranges", json!({"name": "rack", "span": "10.0.0.10-10.0.0.50", "profile": "web"})).await;
        api.add("machines", machine("web1", 1)).await;
        api
    }

    pub async fn add(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask("POST", path, body).await;
        assert_eq!(status, StatusCode::CREATED, "{path}: {answer}");
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    /// Asks and is refused: the status and what is said.
    pub async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.ask(method, path, body).await;
        assert!(!status.is_success(), "{method} {path}: {answer}");
        (status.as_u16(), answer["error"].clone())
    }

    /// As root on the local socket, below /api/v1.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.send(ROOT, None, method, &format!("/api/v1/{path}"), text).await;
        let value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect(&text) };
        (status, value)
    }

    /// What is no JSON, as root on the local socket.
    pub async fn fetch(&self, path: &str) -> (HeaderMap, Vec<u8>) {
        let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(ROOT.unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let head = response.headers().clone();
        (head, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    pub async fn send(
        &self,
        peer: Option<Peer>,
        authorization: Option<&str>,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(text) = authorization {
            request = request.header("authorization", text);
        }
        let mut request = request.body(body.into()).unwrap();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
}

/// `web7` has the MAC …:07 and the address 10.0.0.17.
pub fn machine(name: &str, number: u8) -> Value {
    json!({"name": name, "interfaces": [{"mac": mac(number), "ip": format!("10.0.0.{}", 10 + number)}]})
}

pub fn mac(number: u8) -> String {
    format!("52:54:00:00:00:{number:02x}")
}
