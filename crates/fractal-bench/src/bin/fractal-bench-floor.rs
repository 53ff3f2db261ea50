//! The least a verified pull can cost: one thread, blocking reads of 256 KiB, the product's own hasher, a file.
//!
//! `fractal-bench-floor HOST:PORT PATH DIGEST FILE`, over plain HTTP. The file exists, and is written over. It has no time-outs, redirects, credentials or retries.

use std::fs::File;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::TcpStream;

use fractal_core::artifact::digest::Algorithm;
use fractal_core::artifact::{Digest, Hasher};

const BUFFER: usize = 256 * 1024;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, path, digest, file] = arguments.as_slice() else {
        return Err(invalid("HOST:PORT PATH DIGEST FILE"));
    };
    let digest: Digest = digest.parse().map_err(|_| invalid("no digest"))?;
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )?;
    let found = pull(&mut stream, File::options().write(true).open(file)?)?;
    if found == digest {
        Ok(())
    } else {
        Err(invalid("another digest"))
    }
}

fn pull(stream: &mut TcpStream, mut file: File) -> Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    let begins = loop {
        filled += stream.read(buffer.get_mut(filled..).unwrap_or_default())?;
        let head = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break answered(head).map(|()| end + 4)?;
        }
    };
    let mut piece = buffer.get(begins..filled).unwrap_or_default();
    loop {
        hasher.update(piece);
        file.write_all(piece)?;
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        piece = buffer.get(..read).unwrap_or_default();
    }
}

fn answered(head: &[u8]) -> Result<()> {
    if head.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(invalid("no status 200"))
    }
}

fn invalid(problem: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, problem)
}
