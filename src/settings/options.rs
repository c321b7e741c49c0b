//! Flags of single commands that change what imgctl asks a provider. They are part of the settings from the start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The values of the command's own flags.
#[derive(Clone, Default)]
pub struct Options {
    pub deletion: DeletionFlags,
    pub kinds: Kinds,
    pub sharing: bool,
    /// ECR and OCI registries: try to delete a digest that does not exist, to check the permission to delete.
    pub check_delete: bool,
    /// The longest time that this command waits for one answer.
    pub most_timeout: Option<std::time::Duration>,
}

/// What imgctl deletes together with an image. A saved plan records it.
#[derive(clap::Args, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeletionFlags {
    /// Workspace: also delete the servers and groups that depend on an image server
    #[arg(long)]
    pub recursive: bool,
    /// CVM: also delete the snapshots of an image
    #[arg(long)]
    pub delete_snapshots: bool,
    /// ECR: archive images instead of deleting them; they stay, and cannot be pulled until `imgctl restore`
    ///
    /// AWS charges an archived image for 90 days at least, and a fee to bring it back, which takes up to 20 minutes. imgctl
    /// lists the repositories first, and refuses images that an active index or subject needs.
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archive: bool,
}

/// Images of other accounts that a listing also shows.
#[derive(clap::Args, Clone, Copy, Default)]
pub struct Kinds {
    /// CVM: also list images that other accounts share with this one
    #[arg(long)]
    pub shared: bool,
    /// CVM: also list public images
    #[arg(long)]
    pub public: bool,
}

#[derive(clap::Args, Clone, Copy)]
pub struct Sharing {
    /// CVM: show the accounts that each image is shared with; one call per image
    #[arg(long)]
    pub sharing: bool,
}

impl DeletionFlags {
    /// The flags that ask for this.
    pub fn flags(self) -> String {
        let flags = [
            (self.recursive, "--recursive"),
            (self.delete_snapshots, "--delete-snapshots"),
            (self.archive, "--archive"),
        ];
        let given: Vec<_> = flags.into_iter().filter_map(|(given, flag)| given.then_some(flag)).collect();
        match given.is_empty() {
            true => "none of --recursive, --delete-snapshots and --archive".into(),
            false => given.join(" and "),
        }
    }
}
