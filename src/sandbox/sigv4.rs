//! The verifying side of AWS Signature Version 4.
