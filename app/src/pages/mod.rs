//! The pages, one folder an area.

pub mod approvals;
pub mod audit;
pub mod clusters;
mod deploy;
pub mod deployments;
mod overview;

pub use approvals::{ApprovalsPage, ChangePage, ChangesPage, RequestsPage};
pub use audit::{AuditPage, RecordPage};
pub use clusters::{ClusterPage, ClustersPage};
pub use deploy::WizardPage;
pub use deployments::{AskPage, DeploymentPage, DeploymentsPage};
pub use overview::OverviewPage;
