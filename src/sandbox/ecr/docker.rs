//! The registry side of ECR: what `docker` and `skopeo` pull from and push to, with the password of
//! `aws ecr get-login-password`. It speaks for the region of the sandbox's variables.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html>

use aws_smithy_types::base64;

use super::{Ecr, REGION};
use crate::sandbox::{
    Hooked, Received, Reply,
    oci::{Front, Refusal, Route, habits},
};

/// The password of every login.
pub fn password(account: &str) -> String {
    format!("sandbox-{account}")
}

impl Ecr {
    pub(super) fn answer_docker(&mut self, request: &Received, route: &Route) -> Reply {
        let reply = self.serve(request, route).unwrap_or_else(Refusal::reply);
        reply.with("docker-distribution-api-version", "registry/2.0")
    }

    fn serve(&mut self, request: &Received, route: &Route) -> Result<Reply, Refusal> {
        let login = base64::encode(format!("AWS:{}", password(&self.account)));
        let given = request.header("authorization").split_once(' ');
        if !given.is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("basic") && given == login) {
            let challenge = format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", request.header("host"));
            let (code, message) = ("UNAUTHORIZED", "Not Authorized");
            return Err(Refusal::new(401, code, message).with("www-authenticate", challenge));
        }
        self.run_hooks(&route.name());
        let registry = self.registries.entry(REGION.into()).or_default();
        if let Some(repository) = route.repository().and_then(|name| registry.repositories.get_mut(name)) {
            repository.pass_time(request.now, &self.delays);
        }
        let mut front = Front {
            repositories: &mut registry.repositories,
            uploads: &mut self.docker_uploads,
            habits: &habits::ECR,
            request,
            makes_repositories: false,
        };
        front.answer(route)
    }
}
