//! Hooks of tests: code that runs right before an operation is done, with the whole service in its
//! hands.

type Hook<S> = Box<dyn FnMut(&mut S) + Send>;

/// The hooks of one service, each with the operation that it waits for.
pub struct Hooks<S>(Vec<(String, Hook<S>)>);

impl<S> Default for Hooks<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// A service that takes hooks.
pub trait Hooked: Sized {
    fn hooks(&mut self) -> &mut Hooks<Self>;

    /// Runs `hook` each time before this operation is done. By then the service knows the sender.
    fn before(&mut self, operation: &str, hook: impl FnMut(&mut Self) + Send + 'static) {
        self.hooks().0.push((operation.into(), Box::new(hook)));
    }

    fn run_hooks(&mut self, operation: &str) {
        // Taken out, so that a hook may change everything else.
        let mut hooks = std::mem::take(self.hooks());
        for (_, hook) in hooks.0.iter_mut().filter(|(name, _)| name == operation) {
            hook(self);
        }
        // A hook may have added others.
        hooks.0.append(&mut self.hooks().0);
        *self.hooks() = hooks;
    }
}
