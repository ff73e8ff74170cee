//! Imports from servers that lead elsewhere, or that refuse.

use crate::imports::{Scene, tree};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

/// Answers each request with what stands beside its target: a head's first lines, and a body.
fn server(answers: &'static [(&str, &str, &str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = lines.next().unwrap_or_default();
            lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
            let target = asked.split(' ').nth(1).unwrap_or_default();
            let answer = answers.iter().find(|(path, ..)| *path == target);
            let (head, body) = answer.map_or(("404 Not Found", ""), |(_, head, body)| (head, body));
            let shown = if asked.starts_with("HEAD") { "" } else { body };
            let _ =
                write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{shown}", body.len());
        }
    });
    address
}

#[tokio::test]
async fn a_redirect_with_a_query_is_followed_and_what_is_forbidden_is_told() {
    let scene = Scene::new().await;
    let live: &[(&str, &[u8])] = &[("vmlinuz", b"k"), ("initrd.img", b"i"), ("live.squashfs", b"l")];
    tree(&scene.appliance.config.files.join("d"), live);
    let add = ["distro", "add", "live", "--family", "image", "--kernel", "d/vmlinuz", "--initrd", "d/initrd.img"];
    scene.appliance.cli(&[&add[..], &["--var", "live=d/live.squashfs"]].concat()).await;
    let address = server(&[
        ("/root.tar.zst", "302 Found\r\nLocation: /stored?key=a%2Fb&for=me", ""),
        ("/stored?key=a%2Fb&for=me", "200 OK", "the image"),
        ("/closed.tar.zst", "403 Forbidden", ""),
    ]);
    let args = ["--live", "live", "--name", "root"];
    let url = |name: &str| format!("http://{address}/{name}");
    scene.import(&[&[url("root.tar.zst").as_str()], &args[..]].concat()).await;
    let image = scene.appliance.config.files.join("distros/root/root.tar.zst");
    assert_eq!(std::fs::read(image).unwrap(), b"the image");
    let refused = scene.refused(&[&[url("closed.tar.zst").as_str()], &args[..]].concat()).await;
    assert!(refused.contains(&format!("{} answered 403", url("closed.tar.zst"))), "{refused}");
    let refused = scene.refused(&[&[url("none.tar.zst").as_str()], &args[..]].concat()).await;
    assert!(refused.contains("none.tar.zst is not in"), "{refused}");
}
