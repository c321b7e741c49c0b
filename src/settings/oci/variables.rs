//! Every variable that is read for OCI registries.

pub const VARIABLES: &[&str] = &[
    "DOCKER_AUTH_CONFIG",
    "DOCKER_CONFIG",
    "IMGCTL_OCI_ENDPOINT",
    "REGISTRY_AUTH_FILE",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];
