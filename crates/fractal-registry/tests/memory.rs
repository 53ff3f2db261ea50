//! A pull holds a few chunks, whatever the blob's size. Alone in its process, since it measures that process.

#[cfg(test)]
mod tests {
    use fractal_core::artifact::digest::Algorithm;
    use fractal_core::artifact::{Descriptor, Hasher, Reference};
    use fractal_registry::{Options, Registry};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const CHUNK: usize = 64 * 1024;
    /// Most that the second, larger pull may add to the process's peak, in KiB.
    const GROWTH_MAX: u64 = 4 * 1024;

    fn chunk(number: usize) -> Vec<u8> {
        vec![(number % 251) as u8; CHUNK]
    }

    fn descriptor(chunks: usize) -> Descriptor {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        (0..chunks).for_each(|number| hasher.update(&chunk(number)));
        Descriptor::new("x", hasher.finish(), (chunks * CHUNK) as u64)
    }

    /// Serves every request with `size / CHUNK` chunks, where size is the repository's name.
    async fn serve(listener: TcpListener) {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                socket.read_buf(&mut head).await.unwrap();
            }
            let head = String::from_utf8(head).unwrap();
            let chunks: usize = head.split('/').nth(2).unwrap().parse().unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                chunks * CHUNK
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            for number in 0..chunks {
                socket.write_all(&chunk(number)).await.unwrap();
            }
        }
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

    async fn pull(registry: &Registry, host: &str, chunks: usize) {
        let reference: Reference = format!("{host}/{chunks}:1").parse().unwrap();
        let descriptor = descriptor(chunks);
        let mut stream = registry.blob(&reference, &descriptor).await.unwrap();
        let mut received = 0;
        while let Some(chunk) = stream.next().await {
            received += chunk.unwrap().len() as u64;
        }
        assert_eq!(received, descriptor.size);
    }

    #[tokio::test]
    #[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
    async fn h03_a_blob_sixteen_times_larger_takes_no_more_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(serve(listener));
        let registry = Registry::new(Options::on_loopback()).unwrap();
        pull(&registry, &host, 256).await;
        let before = peak();
        pull(&registry, &host, 4096).await;
        let grown = peak() - before;
        assert!(grown <= GROWTH_MAX, "the peak grew by {grown} KiB");
        server.abort();
    }
}
