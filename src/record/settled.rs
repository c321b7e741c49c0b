//! Adds to a record what a look found out later.

use chrono::Utc;

use super::{
    brief::Brief,
    folder::Folder,
    form::{End, Ended, Line},
    read::Record,
    sums::is_uncertain,
    writer::Writer,
};
use crate::{
    engine::Verdict,
    error::{Error, Kind, Result},
};

impl Record {
    /// The places of images whose outcome is not certain.
    pub fn uncertain(&self) -> Vec<usize> {
        let is_open = |place: &usize| {
            let image = &self.images[*place];
            image.saved.is_some() && is_uncertain(image.ended.as_ref().map(|ended| ended.outcome))
        };
        (0..self.images.len()).filter(is_open).collect()
    }

    /// Adds outcomes of images, by place, to the record and its file.
    pub async fn settle(&mut self, folder: &Folder, found: Vec<(usize, Verdict)>) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let run = &self.head.run;
        let writer = Writer::new(folder.append(run)?, folder.path(run), self.cut);
        let mut lines = Vec::with_capacity(found.len() + 1);
        for (place, verdict) in found {
            let image = &mut self.images[place];
            let before = image.ended.take();
            let job = before.as_ref().and_then(|ended| ended.job.clone());
            let Verdict { outcome, error, .. } = verdict;
            let ended = Ended { n: image.n, at: Utc::now(), outcome, reference: None, job, error, checked: true };
            lines.push(Line::Ended(ended.clone()));
            image.ended = Some(ended);
        }
        let killed = || Error::new(Kind::Stopped, "the process was killed").code("Killed");
        let stopped = self.end.as_ref().map_or_else(|| Some(killed()), |end| end.stopped.clone());
        let at = self.end.as_ref().map_or_else(Utc::now, |end| end.at);
        let end = End { at, sums: Brief::of(self, false).sums, stores: self.stores.clone(), stopped };
        lines.push(Line::End(end.clone()));
        self.end = Some(end);
        writer.write(lines).await
    }
}
