//! Huawei Cloud Workspace image servers, as their documents describe them.
