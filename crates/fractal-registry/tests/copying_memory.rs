//! A copy to three places holds a few chunks, whatever the blob's size. Alone in its process, since it measures that process.

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fractal_core::artifact::digest::Algorithm;
    use fractal_core::artifact::kind::media_type;
    use fractal_core::artifact::{Descriptor, Digest, Hasher, ImageManifest};
    use fractal_registry::{CopyOptions, Located, Options, Registry, copy};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    const CHUNK: usize = 64 * 1024;
    /// Most that a copy of 1 GiB may add to the peak of a copy of 16 MiB, in KiB.
    const GROWTH_MAX: u64 = 4 * 1024;

    fn chunk(number: usize) -> Vec<u8> {
        vec![(number % 251) as u8; CHUNK]
    }

    fn image(chunks: usize) -> (Bytes, Descriptor) {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        (0..chunks).for_each(|number| hasher.update(&chunk(number)));
        let layer = Descriptor::new("x", hasher.finish(), (chunks * CHUNK) as u64);
        // The layer is its own config: one blob is enough.
        let image = ImageManifest::new(None, layer.clone(), vec![layer.clone()]);
        (serde_json::to_vec(&image).unwrap().into(), layer)
    }

    async fn head(socket: &mut TcpStream) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match socket.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return None,
            }
        }
        Some(String::from_utf8(head).unwrap())
    }

    fn length(head: &str) -> usize {
        let mut lines = head.lines();
        let line = lines.find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        });
        line.map_or(0, |length| length.parse().unwrap())
    }

    /// Serves an image of as many chunks as the repository's name says, and takes whatever is uploaded.
    async fn serve(mut socket: TcpStream) -> Option<()> {
        let mut stored = Vec::new();
        loop {
            let head = head(&mut socket).await?;
            let mut path = head.split(['/', ' ', '?']);
            let (method, chunks) = (path.next()?, path.nth(2)?.parse().ok());
            let is_manifest = head.contains("/manifests/");
            let mut left = length(&head);
            let mut sink = vec![0; CHUNK];
            while left > 0 {
                let read = socket.read(&mut sink[..left.min(CHUNK)]).await.ok()?;
                if is_manifest {
                    stored.extend_from_slice(&sink[..read]);
                }
                left -= read;
            }
            let manifest = chunks.map(|chunks: usize| image(chunks).0);
            let (status, more, body) = match (method, is_manifest, manifest) {
                ("HEAD", true, Some(manifest)) => (
                    "200 OK",
                    format!("Docker-Content-Digest: {}\r\n", Digest::sha256(&manifest)),
                    Bytes::new(),
                ),
                ("GET", true, Some(manifest)) => ("200 OK", String::new(), manifest),
                ("GET", true, None) if !stored.is_empty() => {
                    ("200 OK", String::new(), Bytes::from(stored.clone()))
                }
                ("HEAD", ..) => ("404 Not Found", String::new(), Bytes::new()),
                ("GET", true, None) => (
                    "404 Not Found",
                    String::new(),
                    Bytes::from_static(b"{\"errors\":[{\"code\":\"NAME_UNKNOWN\"}]}"),
                ),
                ("POST", ..) => (
                    "202 Accepted",
                    "Location: /v2/t/blobs/uploads/1\r\n".into(),
                    Bytes::new(),
                ),
                ("PUT", ..) => ("201 Created", String::new(), Bytes::new()),
                _ => {
                    let chunks = chunks?;
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                        chunks * CHUNK
                    );
                    socket.write_all(answer.as_bytes()).await.ok()?;
                    for number in 0..chunks {
                        socket.write_all(&chunk(number)).await.ok()?;
                    }
                    continue;
                }
            };
            let kind = format!("Content-Type: {}\r\n", media_type::OCI_MANIFEST);
            let answer = format!(
                "HTTP/1.1 {status}\r\n{kind}{more}Content-Length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.ok()?;
            socket.write_all(&body).await.ok()?;
        }
    }

    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket));
            }
        });
        host
    }

    /// The process's peak resident memory, in KiB.
    fn peak() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    async fn to_three(registry: &Registry, source: &str, chunks: usize) {
        let from = registry.locate(&format!("{source}/{chunks}:1").parse().unwrap());
        let mut to: Vec<Located> = Vec::new();
        for _ in 0..3 {
            let place = format!("{}/t:1", server().await).parse().unwrap();
            to.push(registry.locate(&place));
        }
        let options = CopyOptions {
            referrers: false,
            ..CopyOptions::default()
        };
        let report = copy(&from, &to, &options).await;
        assert_eq!(report.read_bytes, (chunks * CHUNK) as u64);
        for copied in report.targets {
            assert_eq!(copied.unwrap().uploaded, 1);
        }
    }

    #[tokio::test]
    #[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
    async fn h03_a_gibibyte_to_three_registries_takes_no_more_memory_than_a_little() {
        let source = server().await;
        let registry = Registry::new(Options::on_loopback()).unwrap();
        to_three(&registry, &source, 256).await;
        let before = peak();
        to_three(&registry, &source, 16 * 1024).await;
        let grown = peak() - before;
        eprintln!("peak {before} KiB, grown by {grown} KiB");
        assert!(grown <= GROWTH_MAX, "the peak grew by {grown} KiB");
    }
}
