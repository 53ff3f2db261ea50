//! Exactly the calls to AWS that are used. Nothing outside this module and its children names the SDK.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, PackageType, Runtime};
use bytes::BytesMut;
use fractal_aws::{Failure, Session};
use fractal_core::reconcile::{Content, Owner};

use crate::config::INLINE_MAX_WITHOUT_BUCKET;
use crate::desired::{Code, DIGEST_TAG, Desired, tags};
use crate::error::Error;
use crate::observed::{Function, Variables};
use crate::place::{Place, Staged};

mod read;
mod staging;

/// How long a region counts as too large to be listed.
const LIST_AGAIN: Duration = Duration::from_secs(3600);

/// Piece of the memory for inline zips, in bytes.
const INLINE_PIECE: u64 = 64 * 1024;

/// Clients of one region.
#[derive(Clone)]
struct Clients {
    lambda: aws_sdk_lambda::Client,
    s3: aws_sdk_s3::Client,
}

/// The calls, over all regions of the account.
pub(crate) struct Api {
    session: Session,
    regions: Mutex<BTreeMap<String, Clients>>,
    /// Regions with more functions than so many list calls show, and when that was seen.
    large: Mutex<BTreeMap<String, (usize, Instant)>>,
    /// Memory for inline zips, in pieces: each zip is held twice, once as base64. Small ones go side by side, the largest alone.
    inline: tokio::sync::Semaphore,
}

impl Api {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            regions: Mutex::default(),
            large: Mutex::default(),
            inline: tokio::sync::Semaphore::new(pieces(INLINE_MAX_WITHOUT_BUCKET) as usize),
        }
    }

    fn clients(&self, region: &str) -> Clients {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let config = self.session.config(region);
            // Path style: a bucket may have dots in its name, and emulators have no wildcard names.
            let s3 = aws_sdk_s3::config::Builder::from(&config)
                .force_path_style(true)
                .build();
            Clients {
                lambda: aws_sdk_lambda::Client::new(&config),
                s3: aws_sdk_s3::Client::from_conf(s3),
            }
        };
        regions
            .entry(region.to_owned())
            .or_insert_with(make)
            .clone()
    }

    fn lambda(&self, place: &Place) -> aws_sdk_lambda::Client {
        self.clients(&place.region).lambda
    }

    pub(crate) async fn function(&self, place: &Place) -> Result<Option<Function>, Error> {
        let answer = self
            .lambda(place)
            .get_function()
            .function_name(&place.name)
            .send()
            .await;
        match answer.map_err(|error| Failure::new("GetFunction", error)) {
            Ok(answer) => Ok(Some(read::function(answer))),
            Err(failure) if failure.is("ResourceNotFoundException") => Ok(None),
            Err(failure) => Err(Error::Call(failure)),
        }
    }

    /// Revision and code hash of every function of a region, in fewer than `calls_max` calls; `None` where it takes more.
    ///
    /// How many functions a region has is known only by listing them, so a region found too large is not listed again for a while.
    pub(crate) async fn functions(
        &self,
        region: &str,
        calls_max: usize,
    ) -> Result<Option<Vec<(String, String)>>, Error> {
        if self.is_too_large(region, calls_max) {
            return Ok(None);
        }
        let client = self.clients(region).lambda;
        let mut all = Vec::new();
        let mut marker = None;
        for _ in 1..calls_max {
            let page = client.list_functions().max_items(50).set_marker(marker);
            let page = page.send().await;
            let page = page.map_err(|error| Error::Call(Failure::new("ListFunctions", error)))?;
            all.extend(page.functions().iter().map(read::stamp));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(Some(all));
            }
        }
        let mut large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        large.insert(region.to_owned(), (calls_max, Instant::now()));
        Ok(None)
    }

    fn is_too_large(&self, region: &str, calls_max: usize) -> bool {
        let large = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        let known = large.get(region);
        calls_max < 2
            || known.is_some_and(|(calls, at)| calls_max <= *calls && at.elapsed() < LIST_AGAIN)
    }

    pub(crate) async fn create(
        &self,
        owner: &Owner,
        place: &Place,
        desired: &Desired,
        content: &dyn Content,
    ) -> Result<(), Error> {
        let settings = &desired.settings;
        let variables = settings
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect();
        let mut call = self
            .lambda(place)
            .create_function()
            .function_name(&place.name)
            .role(&settings.role)
            .memory_size(settings.memory)
            .timeout(settings.timeout)
            .architectures(Architecture::from(settings.architecture))
            .environment(environment(&Variables(variables)))
            .set_runtime(settings.runtime.as_deref().map(Runtime::from))
            .set_handler(settings.handler.clone());
        for (key, value) in tags(owner, &desired.digest) {
            call = call.tags(key, value);
        }
        self.send_create(call, desired, content).await
    }

    async fn send_create(
        &self,
        call: CreateFunctionFluentBuilder,
        desired: &Desired,
        content: &dyn Content,
    ) -> Result<(), Error> {
        let code = FunctionCode::builder();
        let (kind, code, _one_at_a_time) = match &desired.code {
            Code::Image { uri, .. } => (PackageType::Image, code.image_uri(uri), None),
            Code::Zip {
                staged: Some(staged),
                ..
            } => (
                PackageType::Zip,
                code.s3_bucket(&staged.bucket).s3_key(&staged.key),
                None,
            ),
            Code::Zip { .. } => {
                let (zip, permit) = self.inline(desired, content).await?;
                (PackageType::Zip, code.zip_file(zip), Some(permit))
            }
        };
        let answer = call.package_type(kind).code(code.build()).send().await;
        answer
            .map(|_| ())
            .map_err(|error| Error::Call(Failure::new("CreateFunction", error)))
    }

    pub(crate) async fn update_code(
        &self,
        place: &Place,
        desired: &Desired,
        revision: &str,
        content: &dyn Content,
    ) -> Result<(), Error> {
        let call = self
            .lambda(place)
            .update_function_code()
            .function_name(&place.name)
            .revision_id(revision)
            .architectures(Architecture::from(desired.settings.architecture));
        let (call, _one_at_a_time) = match &desired.code {
            Code::Image { uri, .. } => (call.image_uri(uri), None),
            Code::Zip {
                staged: Some(staged),
                ..
            } => (call.s3_bucket(&staged.bucket).s3_key(&staged.key), None),
            Code::Zip { .. } => {
                let (zip, permit) = self.inline(desired, content).await?;
                (call.zip_file(zip), Some(permit))
            }
        };
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| Error::Call(Failure::new("UpdateFunctionCode", error)))
    }

    pub(crate) async fn update_settings(
        &self,
        place: &Place,
        desired: &Desired,
        variables: &Variables,
        revision: &str,
    ) -> Result<(), Error> {
        let settings = &desired.settings;
        let call = self
            .lambda(place)
            .update_function_configuration()
            .function_name(&place.name)
            .revision_id(revision)
            .role(&settings.role)
            .memory_size(settings.memory)
            .timeout(settings.timeout)
            .environment(environment(variables))
            .set_runtime(settings.runtime.as_deref().map(Runtime::from))
            .set_handler(settings.handler.clone());
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| Error::Call(Failure::new("UpdateFunctionConfiguration", error)))
    }

    pub(crate) async fn mark(&self, place: &Place, digest: &str) -> Result<(), Error> {
        let call = self
            .lambda(place)
            .tag_resource()
            .resource(place.arn())
            .tags(DIGEST_TAG, digest);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| Error::Call(Failure::new("TagResource", error)))
    }

    /// Deletes the function; one that is gone already is as well.
    pub(crate) async fn delete(&self, place: &Place) -> Result<(), Error> {
        let answer = self
            .lambda(place)
            .delete_function()
            .function_name(&place.name)
            .send()
            .await;
        match answer.map_err(|error| Failure::new("DeleteFunction", error)) {
            Err(failure) if !failure.is("ResourceNotFoundException") => Err(Error::Call(failure)),
            _ => Ok(()),
        }
    }

    /// Reads one function's entry: the least that shows whether the credentials may read at all.
    pub(crate) async fn probe(&self) -> Result<String, Error> {
        let region = self.session.region();
        let page = self
            .clients(region)
            .lambda
            .list_functions()
            .max_items(1)
            .send()
            .await;
        page.map_err(|error| Error::Call(Failure::new("ListFunctions", error)))?;
        Ok(format!(
            "account {}, region {region}",
            self.session.account()
        ))
    }

    /// Whether the staging bucket can be used from the default region.
    pub(crate) async fn probe_bucket(&self, bucket: &str) -> Result<String, Error> {
        staging::probe(&self.clients(self.session.region()).s3, bucket).await
    }

    pub(crate) async fn is_staged(
        &self,
        place: &Place,
        object: &Staged,
        size: u64,
    ) -> Result<bool, Error> {
        staging::is_there(&self.clients(&place.region).s3, object, size).await
    }

    pub(crate) async fn stage(
        &self,
        place: &Place,
        object: &Staged,
        desired: &Desired,
        content: &dyn Content,
    ) -> Result<(), Error> {
        let Code::Zip { from, layer, .. } = &desired.code else {
            return Err(Error::Unplanned);
        };
        let bytes = content.open(from, layer).await?;
        staging::put(&self.clients(&place.region).s3, object, layer, bytes).await
    }

    pub(crate) async fn unstage(&self, place: &Place, object: &Staged) -> Result<(), Error> {
        staging::delete(&self.clients(&place.region).s3, object).await
    }

    /// The zip as a whole: the API takes it as base64 within JSON.
    async fn inline(
        &self,
        desired: &Desired,
        content: &dyn Content,
    ) -> Result<(Blob, tokio::sync::SemaphorePermit<'_>), Error> {
        let Code::Zip { from, layer, .. } = &desired.code else {
            return Err(Error::Unplanned);
        };
        let share = self.inline.acquire_many(pieces(layer.size));
        let permit = share.await.map_err(|_| Error::Unplanned)?;
        let mut stream = content.open(from, layer).await?;
        let mut zip = BytesMut::new();
        while let Some(piece) = stream.next().await? {
            zip.extend_from_slice(&piece);
        }
        Ok((Blob::new(zip), permit))
    }
}

/// The share of the memory for inline zips that one of `bytes` takes: never more than there is, or it would wait for ever.
fn pieces(bytes: u64) -> u32 {
    let bytes = bytes.clamp(1, INLINE_MAX_WITHOUT_BUCKET);
    u32::try_from(bytes.div_ceil(INLINE_PIECE)).unwrap_or(u32::MAX)
}

fn environment(variables: &Variables) -> Environment {
    Environment::builder()
        .set_variables(Some(variables.0.clone().into_iter().collect()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_inline_zips_go_side_by_side_and_the_largest_alone() {
        assert_eq!(pieces(0), 1);
        assert_eq!(pieces(INLINE_PIECE), 1);
        assert_eq!(pieces(INLINE_PIECE + 1), 2);
        assert_eq!(pieces(INLINE_MAX_WITHOUT_BUCKET), 640);
        assert_eq!(pieces(u64::MAX), 640);
    }
}
