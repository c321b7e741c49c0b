//! The flags of single commands that change what a provider is asked. They are part of the settings from the start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the command's own flags say.
#[derive(Clone, Default)]
pub struct Options {
    pub deletion: DeletionFlags,
    pub kinds: Kinds,
    pub sharing: bool,
    /// ECR: ask for the deletion of a digest that cannot exist, to see whether deletions are permitted.
    pub check_delete: bool,
    /// The longest wait for one answer that makes sense for the command.
    pub most_timeout: Option<std::time::Duration>,
}

/// What a deletion takes with it. A saved plan keeps it.
#[derive(clap::Args, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeletionFlags {
    /// Workspace: also delete the servers and groups that depend on an image server
    #[arg(long)]
    pub recursive: bool,
    /// CVM: also delete the snapshots of an image
    #[arg(long)]
    pub delete_snapshots: bool,
}

/// Images of others that a listing shows too.
#[derive(clap::Args, Clone, Copy, Default)]
pub struct Kinds {
    /// CVM: also images that other accounts share with this one
    #[arg(long)]
    pub shared: bool,
    /// CVM: also public images
    #[arg(long)]
    pub public: bool,
}

#[derive(clap::Args, Clone, Copy)]
pub struct Sharing {
    /// CVM: ask which accounts each image is shared with, one call an image
    #[arg(long)]
    pub sharing: bool,
}

impl DeletionFlags {
    /// The flags that ask for this.
    pub fn flags(self) -> String {
        let flags = [(self.recursive, "--recursive"), (self.delete_snapshots, "--delete-snapshots")];
        let given: Vec<_> = flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect();
        match given.is_empty() {
            true => "neither --recursive nor --delete-snapshots".into(),
            false => given.join(" and "),
        }
    }
}
