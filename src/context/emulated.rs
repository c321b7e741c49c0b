//! Whether a store is in `imgctl sandbox`. The variable only says that somebody works with a sandbox, and may be left from
//! earlier; so the endpoint itself must be on this machine and must say that it is one. No service of a cloud does.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use reqwest::{Method, Request, Url};
use tokio::sync::Mutex;

use crate::{
    http::{Http, Size},
    sandbox,
    settings::Env,
};

/// Long enough for a program on this machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What endpoints have said of themselves.
#[derive(Default)]
pub struct Emulated(Mutex<HashMap<Url, bool>>);

impl Emulated {
    /// Whether this endpoint is a sandbox; nothing where nobody works with one.
    pub async fn is(&self, env: &Env, endpoint: Option<&str>) -> Option<bool> {
        env.get("IMGCTL_SANDBOX")?;
        let Some(root) = endpoint.and_then(root) else { return Some(false) };
        let mut known = self.0.lock().await;
        if let Some(known) = known.get(&root) {
            return Some(*known);
        }
        let says = says_so(&root).await;
        known.insert(root, says);
        Some(says)
    }
}

/// The root of an endpoint, if that is an address of this machine.
fn root(endpoint: &str) -> Option<Url> {
    let url: Url = endpoint.parse().ok()?;
    // A name could mean another machine tomorrow.
    let address: IpAddr = url.host_str()?.trim_matches(['[', ']']).parse().ok()?;
    (url.scheme() == "http" && address.is_loopback()).then(|| url.join("/").ok())?
}

async fn says_so(root: &Url) -> bool {
    let Ok(http) = Http::direct(root, TIMEOUT) else { return false };
    let answer = http.send(Request::new(Method::GET, root.clone()), Size::Few).await;
    answer.is_ok_and(|answer| answer.status == 200 && answer.header(sandbox::MARK).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Options, Sandbox, World};

    #[tokio::test]
    async fn only_what_says_so_on_this_machine_is_a_sandbox_and_only_with_the_variable() {
        let sandbox = Sandbox::start(World::default(), Options::default()).await.unwrap();
        let (url, emulated) = (sandbox.url(), Emulated::default());
        let set = Env::of([("IMGCTL_SANDBOX", "anything")], None);
        let is = async |env: &Env, endpoint: &str| emulated.is(env, Some(endpoint)).await;
        assert_eq!(is(&set, &url).await, Some(true));
        assert_eq!(is(&set, &format!("{url}/path")).await, Some(true));
        assert_eq!(is(&set, &format!("http://{}", sandbox.registry())).await, Some(true));
        assert_eq!(is(&Env::default(), &url).await, None);
        assert_eq!(emulated.is(&set, None).await, Some(false));
        // Another program of this machine, perhaps a tunnel to a real account.
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            while let Ok((mut stream, _)) = other.accept().await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        });
        assert_eq!(is(&set, &format!("http://{address}")).await, Some(false));
        let named = url.replace("127.0.0.1", "localhost");
        for real in [named.as_str(), "https://api.ecr.eu-west-1.amazonaws.com", "http://192.0.2.1:1", "no url"] {
            assert_eq!(is(&set, real).await, Some(false), "{real}");
        }
    }
}
