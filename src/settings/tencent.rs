//! Tencent Cloud: credentials, region and endpoint, from everything its own tools read.
