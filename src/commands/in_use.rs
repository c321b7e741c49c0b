//! Flags about images in use.

use std::path::PathBuf;

use crate::{
    context::Context,
    error::{Error, Kind, Result},
    prune::rules::Rules,
    survey::{Accept, Files},
};

/// Which images are in use, besides those that the provider reports.
#[derive(clap::Args)]
pub struct InUseArgs {
    /// Keep every image that this text or JSON names: pods, task definitions, a list, a folder of charts; `-` reads standard
    /// input
    #[arg(long, value_name = "FILE|DIR")]
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

    /// Whether anything besides the providers says what is in use.
    fn has_source(&self) -> bool {
        !self.in_use.is_empty()
    }

    /// Stops a run that must know what is in use, but has no source for it.
    pub fn demand(&self, rules: &[Rules]) -> Result<()> {
        let Some(rules) = rules.iter().find(|rules| rules.guarding.require_in_use && !self.has_source()) else {
            return Ok(());
        };
        let who =
            rules.name.as_ref().map_or("--require-in-use".into(), |name| format!("policy {name}: require-in-use"));
        let message = format!("{who}: nothing says which images are in use");
        Err(Error::new(Kind::Guard, message).hint("nothing was sent; name the images in use with --in-use FILE"))
    }

    pub fn check(&self) -> bool {
        !self.skip_usage_check
    }

    pub fn is_given(&self) -> bool {
        !self.in_use.is_empty() || self.skip_usage_check
    }
}
