//! Huawei Cloud Workspace image servers.
