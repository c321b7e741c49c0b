//! The images that a command is given. Short digests among its arguments are completed, from a listing of their
//! repositories.

use std::path::PathBuf;

use crate::{
    context::Context,
    error::{Error, Kind, Result},
    image::{Digest, Short},
    intake,
};

/// Candidates that an error lists.
const MOST: usize = 5;

/// Reads the images among the arguments and in files.
pub async fn images<T: Send + 'static>(
    context: &Context,
    arguments: &[String],
    files: &[PathBuf],
    read: impl FnOnce(&[String], &[PathBuf]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (arguments, files) = (completed(context, arguments).await?, files.to_vec());
    if intake::may_wait(&arguments, &files) {
        return context.blocking(move || read(&arguments, &files)).await;
    }
    // A thread would take longer to start than these to read.
    read(&arguments, &files)
}

/// The arguments with whole digests. Only arguments can be short: a list that comes through a pipe names images as
/// imgctl and other tools print them.
pub async fn completed(context: &Context, arguments: &[String]) -> Result<Vec<String>> {
    let mut whole = Vec::with_capacity(arguments.len());
    for argument in arguments {
        whole.push(match Short::read(argument) {
            None => argument.clone(),
            Some(short) => {
                let complete = short.complete(&the_one(context, &short, argument).await?);
                context.printer.note(&format!("{argument} is {complete}"));
                complete
            }
        });
    }
    Ok(whole)
}

/// The one digest of the repository that begins like this.
async fn the_one(context: &Context, short: &Short, argument: &str) -> Result<Digest> {
    let session = context.open(&short.store).await?;
    let mut pages = session.pages();
    let mut found: Vec<Digest> = Vec::new();
    while let Some(images) = pages.next().await? {
        for digest in images.iter().filter_map(|image| image.digest()).filter(|digest| short.fits(digest)) {
            // An image may come twice, with different tags.
            if !found.contains(&digest) {
                found.push(digest);
            }
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Error::new(Kind::Usage, format!("no digest in {} begins with {}", short.store, short.digits))
            .hint(format!("list the images with `imgctl list {}`", short.store))),
        several => {
            let mut named: Vec<_> = several.iter().take(MOST).map(|digest| short.complete(digest)).collect();
            if several.len() > MOST {
                named.push(format!("and {} more", several.len() - MOST));
            }
            let message = format!("{argument} may be {} images:\n  {}", several.len(), named.join("\n  "));
            Err(Error::new(Kind::Usage, message).hint("write more digits"))
        }
    }
}
