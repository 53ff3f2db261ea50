//! Where a blob's bytes come from: a registry, a file, or memory.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, AsyncSeekExt as _, ReadBuf};

use crate::auth::credentials::BoxFuture;
use crate::error::RegistryError;

/// Bytes read from a file at once.
const FILE_CHUNK: usize = 256 * 1024;

/// Opens the same blob as often as it takes.
pub(crate) trait Supply: Send + Sync {
    /// Where, for errors.
    fn at(&self) -> Arc<str>;

    /// Whether the bytes lie on this machine, where another look finds the same.
    fn is_local(&self) -> bool {
        false
    }

    /// Opens the blob from byte `offset` on, or from its start where it cannot do that.
    fn open(&self, offset: u64) -> BoxFuture<'static, Result<Opened, RegistryError>>;
}

/// An opened blob.
pub(crate) struct Opened {
    /// The first byte it gives.
    pub(crate) offset: u64,
    pub(crate) bytes: Source,
}

pub(crate) enum Source {
    Http(Incoming),
    File(Box<FileSource>),
    Bytes(Option<Bytes>),
}

pub(crate) struct FileSource {
    file: File,
    buffer: BytesMut,
    /// Bytes of it that are still to be read.
    left: u64,
}

/// What went wrong under way: to be resumed.
pub(crate) type Broken = Arc<dyn std::error::Error + Send + Sync>;

impl Source {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::File(file) => file
                .poll(cx)
                .map(|read| read.map_err(|error| Arc::new(error) as Broken).transpose()),
            Self::Http(body) => loop {
                match std::task::ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(Arc::new(error)))),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
        }
    }

    /// Has it certainly nothing more to give?
    pub(crate) fn is_at_end(&self) -> bool {
        match self {
            Self::Http(body) => body.is_end_stream(),
            Self::Bytes(bytes) => bytes.is_none(),
            Self::File(_) => false,
        }
    }
}

impl FileSource {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<Option<Bytes>>> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.buffer.resize(wanted.min(FILE_CHUNK), 0);
        let mut buffer = ReadBuf::new(&mut self.buffer);
        std::task::ready!(Pin::new(&mut self.file).poll_read(cx, &mut buffer))?;
        let length = buffer.filled().len();
        self.left -= length as u64;
        Poll::Ready(Ok(
            (length > 0).then(|| self.buffer.split_to(length).freeze())
        ))
    }
}

pub(super) struct BytesSupply(pub(super) Bytes);

impl Supply for BytesSupply {
    fn is_local(&self) -> bool {
        true
    }

    fn at(&self) -> Arc<str> {
        "the bytes given".into()
    }

    fn open(&self, offset: u64) -> BoxFuture<'static, Result<Opened, RegistryError>> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        let bytes = Source::Bytes(Some(self.0.slice(from..)));
        Box::pin(std::future::ready(Ok(Opened { offset, bytes })))
    }
}

pub(super) struct FileSupply(pub(super) PathBuf);

impl Supply for FileSupply {
    fn is_local(&self) -> bool {
        true
    }

    fn at(&self) -> Arc<str> {
        self.0.display().to_string().into()
    }

    fn open(&self, offset: u64) -> BoxFuture<'static, Result<Opened, RegistryError>> {
        let path = self.0.clone();
        Box::pin(async move {
            open_file(&path, offset, u64::MAX)
                .await
                .map_err(|error| RegistryError::file(&path, error))
        })
    }
}

/// Part of a file: a blob within an archive.
pub(super) struct PartSupply {
    pub(super) path: PathBuf,
    pub(super) start: u64,
    pub(super) size: u64,
}

impl Supply for PartSupply {
    fn is_local(&self) -> bool {
        true
    }

    fn at(&self) -> Arc<str> {
        self.path.display().to_string().into()
    }

    fn open(&self, offset: u64) -> BoxFuture<'static, Result<Opened, RegistryError>> {
        let (path, start) = (self.path.clone(), self.start);
        let left = self.size.saturating_sub(offset);
        Box::pin(async move {
            let opened = open_file(&path, start.saturating_add(offset), left).await;
            let opened = opened.map_err(|error| RegistryError::file(&path, error))?;
            Ok(Opened { offset, ..opened })
        })
    }
}

async fn open_file(path: &Path, offset: u64, left: u64) -> std::io::Result<Opened> {
    let mut file = File::open(path).await?;
    file.set_max_buf_size(FILE_CHUNK);
    if offset > 0 {
        file.seek(SeekFrom::Start(offset)).await?;
    }
    Ok(Opened {
        offset,
        bytes: Source::File(Box::new(FileSource {
            file,
            buffer: BytesMut::new(),
            left,
        })),
    })
}
