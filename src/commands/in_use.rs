//! Flags about images in use.

use std::path::PathBuf;

use crate::{
    context::Context,
    error::Result,
    survey::{Accept, Files},
};

/// Which images are in use, besides those that the provider reports.
#[derive(clap::Args)]
pub struct InUseArgs {
    /// Keep every image that this text or JSON names: pods, task definitions, a list; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    in_use: Vec<PathBuf>,
    /// Accept an in-use list that names no image of these stores
    #[arg(long, requires = "in_use")]
    allow_empty_in_use: bool,
    /// Accept an in-use list that names a repository without saying which image
    #[arg(long, requires = "in_use")]
    in_use_loose: bool,
    /// CVM: do not check instances, launch templates, launch configurations, families and shares
    #[arg(long)]
    skip_usage_check: bool,
}

impl InUseArgs {
    pub async fn open(&self, context: &Context, stdin_was_read: bool) -> Result<Files> {
        let paths = self.in_use.clone();
        let accept = Accept { empty: self.allow_empty_in_use, loose: self.in_use_loose };
        context.blocking(move || Files::open(&paths, accept, stdin_was_read)).await
    }

    pub fn check(&self) -> bool {
        !self.skip_usage_check
    }

    pub fn is_given(&self) -> bool {
        !self.in_use.is_empty() || self.skip_usage_check
    }
}
