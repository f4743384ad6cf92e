//! A number's business profile and its photo.

use bytes::Bytes;

use super::call::{READ_PROFILE, SET_PROFILE, unusable};
use super::{Failure, Relay};
use crate::cloud::profile::{Profile, ProfileUpdate};
use crate::media::{Download, Photo};
use crate::number::Number;

const EDGE: &str = "/whatsapp_business_profile";

impl Relay {
    /// These fields of the profile.
    pub async fn profile(&self, number: &Number, fields: &str) -> Result<Profile, Failure> {
        let body = self.call(number, &READ_PROFILE, &format!("{EDGE}?fields={fields}"), &()).await?;
        Profile::parse(&body).ok_or_else(|| unusable("cloud answered with something else than a profile"))
    }

    /// Changes the profile.
    pub async fn set_profile(&self, number: &Number, update: &ProfileUpdate<'_>) -> Result<(), Failure> {
        self.set(number, &SET_PROFILE, EDGE, update).await
    }

    /// The photo at `url`, where the profile has it; `None` when it is not there.
    pub async fn photo(&self, number: &Number, url: &str) -> Result<Option<Download>, Failure> {
        let found = self.media.public_file(&number.account, url).await;
        found.map_err(|error| self.file_failure(number, "photo", &error))
    }

    /// Makes `bytes` the photo of the profile.
    pub async fn set_photo(&self, number: &Number, photo: Photo, bytes: Bytes) -> Result<(), Failure> {
        let handle = self.media.upload_photo(&number.account, photo, bytes).await;
        let handle = handle.map_err(|error| self.file_failure(number, "photo", &error))?;
        let update = ProfileUpdate { profile_picture_handle: Some(&handle), ..ProfileUpdate::default() };
        self.set_profile(number, &update).await
    }
}
