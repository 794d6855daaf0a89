//! The pages, one folder an area.

mod overview;

pub use overview::OverviewPage;
