//! Tencent Cloud CVM custom images.
