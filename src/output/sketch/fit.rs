//! Which sections of a plan, and how many lines of each, fit a screen. Pure.

use super::{Screen, Section, cut};
use crate::output::human::{count, wrapped};

/// How much of a section is shown.
#[derive(Clone, Copy, Default)]
pub struct Shown {
    pub head: bool,
    /// Lines below the head, including the one that counts the rest.
    pub lines: usize,
}

/// How a plan fits a screen.
pub struct Fit {
    pub shown: Vec<Shown>,
    pub short: bool,
}

impl Fit {
    pub fn of(sections: &[Section], screen: Screen) -> Self {
        let Screen { width, height, .. } = screen;
        let heights = |short: bool| -> Vec<usize> {
            let fit = Self { shown: Vec::new(), short };
            sections.iter().map(|section| fit.head(section, width).len()).collect()
        };
        let heads = heights(false);
        let all = heads.iter().sum::<usize>() + sections.iter().map(|section| section.lines).sum::<usize>();
        if all <= height {
            let whole = |section: &Section| Shown { head: true, lines: section.lines };
            return Self { shown: sections.iter().map(whole).collect(), short: false };
        }
        // Deletions come first for room: the stores that lose most, then their lines, then the kept images.
        let deleted: Vec<usize> = (0..sections.len()).filter(|number| !sections[*number].is_kept()).collect();
        let short = deleted.iter().map(|number| heads[*number]).sum::<usize>() * 2 > height && deleted.len() > 1;
        let heads = if short { heights(true) } else { heads };
        let mut shown = vec![Shown::default(); sections.len()];
        let mut by_images = deleted.clone();
        by_images.sort_by_key(|number| std::cmp::Reverse(sections[*number].images));
        // The last line counts the stores without a place.
        let mut room = height.saturating_sub(1);
        for (rank, number) in by_images.into_iter().enumerate() {
            if rank > 0 && heads[number] > room {
                break;
            }
            shown[number].head = true;
            room = room.saturating_sub(heads[number]);
        }
        room += usize::from(deleted.iter().all(|number| shown[*number].head));
        let wanted = |number: &usize| if shown[*number].head { sections[*number].lines } else { 0 };
        let wants: Vec<usize> = deleted.iter().map(wanted).collect();
        let kept: Vec<usize> = (0..sections.len()).filter(|number| sections[*number].is_kept()).collect();
        let kept_wants: Vec<usize> = kept.iter().map(|number| heads[*number] + sections[*number].lines).collect();
        let for_kept = (room / 3).max(room.saturating_sub(wants.iter().sum())).min(kept_wants.iter().sum());
        for (number, lines) in deleted.iter().zip(dealt(&wants, room - for_kept)) {
            shown[*number].lines = lines;
        }
        for (number, lines) in kept.iter().zip(dealt(&kept_wants, for_kept)) {
            let head = lines >= heads[*number];
            shown[*number] = Shown { head, lines: if head { lines - heads[*number] } else { 0 } };
        }
        for (section, shown) in sections.iter().zip(&mut shown) {
            // One line would only count what the head counts already.
            if shown.lines == 1 && section.lines > 1 {
                shown.lines = 0;
            }
        }
        Self { shown, short }
    }

    pub fn head(&self, section: &Section, width: usize) -> Vec<String> {
        match self.short {
            true => vec![cut(&section.short, width)],
            false => section.head.iter().flat_map(|text| wrapped(text, width)).collect(),
        }
    }

    /// A line about the stores that have no place at all.
    pub fn left_out(&self, sections: &[Section]) -> Option<String> {
        let hidden = sections.iter().zip(&self.shown).filter(|(_, shown)| !shown.head);
        let hidden: Vec<_> = hidden.map(|(section, _)| section).filter(|of| !of.is_kept()).collect();
        let images: usize = hidden.iter().map(|section| section.images).sum();
        // A store with images that need a look has several sections.
        let word = if hidden.iter().any(|section| section.look) { "more group" } else { "more store" };
        (!hidden.is_empty()).then(|| format!("… and {}: {}", count(hidden.len(), word), count(images, "image")))
    }
}

/// Deals lines to those that want some, one by one.
fn dealt(wants: &[usize], room: usize) -> Vec<usize> {
    let mut given = vec![0; wants.len()];
    let mut room = room.min(wants.iter().sum());
    while room > 0 {
        for (given, _) in given.iter_mut().zip(wants).filter(|(given, wanted)| **given < **wanted) {
            if room > 0 {
                *given += 1;
                room -= 1;
            }
        }
    }
    given
}
