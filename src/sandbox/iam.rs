//! Huawei Cloud IAM: tokens, projects and who is who.
