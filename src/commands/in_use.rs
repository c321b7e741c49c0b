//! Flags about images in use.

use std::path::PathBuf;

use crate::{
    context::Context,
    error::{Error, Kind, Result},
    prune::rules::Rules,
    store::{Ask, Revisions, Service},
    survey::{Accept, Files, InUse},
};

/// Which images are in use, besides those that the provider reports.
#[derive(clap::Args)]
pub struct InUseArgs {
    /// Keep every image that this text or JSON names: pods, task definitions, a list, a folder of charts; `-` reads standard
    /// input
    #[arg(long, value_name = "FILE|DIR")]
    in_use: Vec<PathBuf>,
    /// ECR: keep every image that these services use: ecs, lambda, inspector
    ///
    /// imgctl asks in the regions of the stores, with the same credentials. If it gets no complete answer, it deletes
    /// nothing. ECS: running tasks, services with what a rollback returns to, EventBridge rules and schedules, and task
    /// definitions. Lambda: functions and their versions. Inspector: images it saw in ECS tasks and EKS pods.
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', hide_possible_values = true)]
    ask: Vec<Service>,
    /// Ask in this region too
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    ask_region: Vec<String>,
    /// ECS: newest revisions of each task definition family that count as in use: a number, or all [default: 5]
    #[arg(long, value_name = "N")]
    ask_revisions: Option<Revisions>,
    /// Accept an in-use list that names no image of these stores, and services that know of nothing
    #[arg(long)]
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
        !self.in_use.is_empty() || !self.ask.is_empty()
    }

    /// Stops a run that must know what is in use, but has no source for it.
    pub fn demand(&self, rules: &[Rules]) -> Result<()> {
        let Some(rules) =
            rules.iter().find(|rules| rules.guarding.require_in_use && rules.ask.is_empty() && !self.has_source())
        else {
            return Ok(());
        };
        let who =
            rules.name.as_ref().map_or("--require-in-use".into(), |name| format!("policy {name}: require-in-use"));
        let message = format!("{who}: nothing says which images are in use");
        Err(Error::new(Kind::Guard, message)
            .hint("nothing was sent; name the images in use with --in-use FILE, or ask with --ask"))
    }

    /// What the flags ask.
    pub fn ask(&self) -> Ask {
        let ask = Ask { services: self.ask.clone(), regions: self.ask_region.clone(), revisions: self.ask_revisions };
        // Each once.
        ask.and(&Ask::default())
    }

    /// Which evidence to ask for, of these services.
    pub fn wanted(&self, recursive: bool, ask: Ask) -> InUse {
        InUse { check: self.check(), recursive, ask, allow_empty: self.allow_empty_in_use }
    }

    pub fn check(&self) -> bool {
        !self.skip_usage_check
    }

    pub fn is_given(&self) -> bool {
        let asks = !self.ask.is_empty() || !self.ask_region.is_empty() || self.ask_revisions.is_some();
        !self.in_use.is_empty() || asks || self.allow_empty_in_use || self.skip_usage_check
    }
}
