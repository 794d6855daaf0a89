//! What a fresh world is filled with.

use crate::addresses::WorldAddresses;
use crate::error::Result;
use crate::programs::ProgressFn;

/// Fills a fresh world; called once, when everything runs.
///
/// # Errors
/// What a part refused.
pub async fn apply(_world: &WorldAddresses, _progress: ProgressFn<'_>) -> Result<()> {
    Ok(())
}
