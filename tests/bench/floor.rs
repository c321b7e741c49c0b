//! The floor: a bare client that sends the least calls, signed, with 16 in flight, and reads no more of an answer than
//! the token of the next page.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Mutex,
    thread,
    time::Instant,
};

use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use imgctl::sandbox::{
    Sandbox,
    ecr::{ACCESS_KEY, REGION},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::jobs::Job;

const IN_FLIGHT: usize = 16;

#[derive(Clone)]
pub struct Call {
    pub operation: &'static str,
    pub body: Value,
}

/// The least calls of a job.
pub enum Floor {
    /// Calls that go side by side, one stage after the other.
    Stages(Vec<Vec<Call>>),
    /// Chains side by side, each call after the one before it.
    Chains(Vec<Vec<Call>>),
    /// Page after page of each repository, after the names of all if they must be found.
    Listing { repositories: Vec<String>, pages: usize, find: bool },
    /// Both at once.
    Both(Box<Floor>, Box<Floor>),
    /// One after the other.
    Then(Box<Floor>, Box<Floor>),
    /// So many; they are not sent.
    Counted(usize),
}

impl Floor {
    /// The calls of the operation with the most: each has a rate of its own.
    pub fn most_of_one(&self) -> usize {
        match self {
            Self::Chains(chains) => chains.len(),
            floor => floor.calls(),
        }
    }

    pub fn calls(&self) -> usize {
        match self {
            Self::Stages(calls) | Self::Chains(calls) => calls.iter().map(Vec::len).sum(),
            Self::Listing { repositories, pages, find } => repositories.len() * pages + usize::from(*find),
            Self::Both(one, other) | Self::Then(one, other) => one.calls() + other.calls(),
            Self::Counted(calls) => *calls,
        }
    }

    fn send(&self, address: &str) -> io::Result<()> {
        match self {
            Self::Stages(stages) => stages.iter().try_for_each(|calls| {
                side_by_side(calls.clone(), |call, client: &mut Client| client.send(&call).map(drop), address)
            }),
            Self::Chains(chains) => side_by_side(
                chains.clone(),
                |chain, client: &mut Client| chain.iter().try_for_each(|call| client.send(call).map(drop)),
                address,
            ),
            Self::Listing { repositories, find, .. } => {
                if *find {
                    let call = Call { operation: "DescribeRepositories", body: json!({ "maxResults": 1000 }) };
                    Client::new(address)?.send(&call)?;
                }
                side_by_side(repositories.clone(), |repository, client| client.list(&repository), address)
            }
            Self::Both(one, other) => thread::scope(|threads| {
                let one = threads.spawn(|| one.send(address));
                other.send(address)?;
                one.join().expect("it does not panic")
            }),
            Self::Then(one, other) => one.send(address).and_then(|()| other.send(address)),
            Self::Counted(_) => Ok(()),
        }
    }
}

/// How long the least calls of a job take, in seconds.
pub fn measure(job: &Job, sandbox: &Sandbox) -> io::Result<f64> {
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    let started = Instant::now();
    job.floor.send(&address)?;
    Ok(started.elapsed().as_secs_f64())
}

/// The same where a rate of so many a second is all that counts, with one look before and one after.
pub fn of_window(job: &Job, rate: u32) -> f64 {
    let deletions = job.count.div_ceil(10);
    (deletions.div_ceil(rate as usize) - 1) as f64 + 3.0 * job.latency.as_secs_f64()
}

fn side_by_side<T: Send>(
    work: Vec<T>,
    send: impl Fn(T, &mut Client) -> io::Result<()> + Sync,
    address: &str,
) -> io::Result<()> {
    let threads = work.len().min(IN_FLIGHT);
    let work = Mutex::new(VecDeque::from(work));
    let next = || work.lock().expect("no holder of this lock panics").pop_front();
    thread::scope(|scope| {
        let worker = || -> io::Result<()> {
            let mut client = Client::new(address)?;
            while let Some(one) = next() {
                send(one, &mut client)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("it does not panic"))
    })
}

/// One connection that stays open.
struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Client {
    fn new(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(1 << 16, stream), host: address.to_owned() })
    }

    fn list(&mut self, repository: &str) -> io::Result<()> {
        let mut token: Option<String> = None;
        loop {
            let mut body =
                json!({ "repositoryName": repository, "maxResults": 1000, "filter": { "imageStatus": "ANY" } });
            if let Some(token) = &token {
                body["nextToken"] = json!(token);
            }
            let answer = self.send(&Call { operation: "DescribeImages", body })?;
            let answer = String::from_utf8_lossy(&answer);
            token =
                answer.split_once("\"nextToken\":\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
            if token.is_none() {
                return Ok(());
            }
        }
    }

    fn send(&mut self, call: &Call) -> io::Result<Vec<u8>> {
        let request = signed(call, &self.host);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let good = line.contains(" 200 ");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().unwrap_or(0);
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        match good {
            true => Ok(body),
            false => Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
        }
    }
}

/// A request with a signature of version 4.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn signed(call: &Call, host: &str) -> String {
    let body = call.body.to_string();
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{}", call.operation);
    let time = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{REGION}/ecr/aws4_request", &time[..8]);
    let headers = "content-type;host;x-amz-date;x-amz-target";
    let canonical = format!(
        "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:{host}\nx-amz-date:{time}\nx-amz-target:{target}\n\n{headers}\n{}",
        hex::encode(Sha256::digest(&body))
    );
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let key = scope.split('/').fold(format!("AWS4{}", ACCESS_KEY.1).into_bytes(), |key, part| hmac(&key, part));
    let signature = hex::encode(hmac(&key, &text));
    format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-date: {time}\r\n\
         x-amz-target: {target}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={headers}, \
         Signature={signature}\r\ncontent-length: {}\r\n\r\n{body}",
        ACCESS_KEY.0,
        body.len()
    )
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
