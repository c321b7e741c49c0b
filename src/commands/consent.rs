//! Flags of commands that delete: whether to ask for confirmation, and how long to wait.

use std::time::Duration;

use super::values::duration;
use crate::{
    delete::How,
    error::{Error, Kind, Result},
    image::Provider,
    output::can_ask,
    report::Sizes,
    restore,
};

/// Refuses to archive images of providers that have no archive.
pub fn can_archive(providers: impl IntoIterator<Item = Provider>) -> Result<()> {
    match providers.into_iter().find(|provider| provider.archive().is_none()) {
        None => Ok(()),
        Some(without) => {
            let message = format!("cannot use --archive: {} has no archive", without.title());
            Err(Error::new(Kind::Unsupported, message).hint("only ECR archives images"))
        }
    }
}

#[derive(clap::Args)]
pub struct Consent {
    /// Show what would happen, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Skip the confirmation prompt
    #[arg(short, long)]
    yes: bool,
    /// ECR: allow deletions that the registry replicates to other registries
    #[arg(long)]
    pub replicated: bool,
    /// Do not wait for jobs and slow deletions to finish
    #[arg(long)]
    no_wait: bool,
    /// Maximum time to wait for one job
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration)]
    timeout_job: Duration,
    /// Do not record the run; then it has no history, and nothing can be restored from it
    #[arg(long)]
    no_record: bool,
}

impl Consent {
    /// `--yes` was given.
    pub fn is_given(&self) -> bool {
        self.yes
    }

    /// A run that changes something is recorded.
    pub fn is_recorded(&self) -> bool {
        !self.no_record
    }

    /// Refuses a run that must ask for confirmation and cannot, before anything is sent.
    pub fn can_be_had(&self) -> Result<()> {
        if self.yes || self.dry_run { Ok(()) } else { can_ask() }
    }

    /// How to restore.
    pub fn restoring(&self) -> restore::How {
        let Self { dry_run, yes, no_wait, timeout_job: most, no_record, .. } = *self;
        restore::How { dry_run, yes, no_wait, most, record: !no_record }
    }

    /// How to carry out an order. `shown`: what the plan frees, if the user has seen it.
    pub fn how(&self, shown: Option<Sizes>, ignore_missing: bool) -> How {
        let Self { dry_run, yes, replicated, no_wait, timeout_job: job_timeout, no_record } = *self;
        How {
            dry_run,
            yes,
            shown,
            no_wait,
            job_timeout,
            ignore_missing,
            record: !no_record,
            replicated,
            plan: None,
            policy: None,
        }
    }
}
