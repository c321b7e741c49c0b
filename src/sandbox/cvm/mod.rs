//! Tencent Cloud CVM, as its documents describe it.
