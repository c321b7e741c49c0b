//! Ends the commands that the SDK started for credentials, when nobody waits for them any more. The SDK leaves them
//! running.

/// Ends them when it is dropped, unless they are done.
pub(super) struct Children {
    done: bool,
}

impl Children {
    pub fn watched() -> Self {
        Self { done: false }
    }

    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        if !self.done {
            #[cfg(target_os = "linux")]
            linux::end(std::process::id());
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::process::{Pid, Signal, kill_process};

    /// Ends all processes below one: a shell may have started others.
    pub fn end(process: u32) {
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
                end(child);
                if let Some(child) = i32::try_from(child).ok().and_then(Pid::from_raw) {
                    // It may have ended by itself.
                    let _ = kill_process(child, Signal::KILL);
                }
            }
        }
    }
}
