//! Huawei Cloud: credentials, project, region and endpoints, from everything its own tools read.
