//! The pages, one folder an area.

pub mod approvals;
pub mod audit;
mod catalog;
pub mod clusters;
mod deploy;
pub mod deployments;
mod overview;
mod registries;

pub use approvals::{ApprovalsPage, ChangePage, ChangesPage, RequestsPage};
pub use audit::{AuditPage, RecordPage};
pub use catalog::{CatalogPage, ModelPage, VersionPage};
pub use clusters::{ClusterPage, ClustersPage};
pub use deploy::WizardPage;
pub use deployments::{AskPage, DeploymentPage, DeploymentsPage};
pub use overview::OverviewPage;
pub use registries::{NewRegistryPage, RegistriesPage, RegistryPage};
