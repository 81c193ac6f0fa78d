//! From a request that was filed to the channels of whoever it waits for. X11, X37: not in the quiet hours of its
//! profile, no more often than the profile lets one be prompted, and only on channels that it allows.

use std::collections::{BTreeMap, BTreeSet};

use protocol::time::{Lifetime, Timestamp};
use store::Batch;
use store::notices::{Notice, Recipient};

use super::channel::{Channel, Channels};
use super::waiting::Asked;
use crate::app::App;
use crate::failure::Failure;

/// How long a notice is put off where quiet hours hold, before they are asked about again.
const PUT_OFF: Lifetime = Lifetime::from_seconds(60);

/// One batch for all that is due; how many they were.
pub async fn pass_on(app: &App) -> Result<usize, Failure> {
    let attempt = || async {
        let due = app.store.due_notices(app.now()).await?;
        if due.is_empty() {
            return Ok((Batch::default(), 0));
        }
        let mut passing = Passing {
            app,
            now: app.now(),
            channels: Channels::load(app).await?,
            counts: BTreeMap::new(),
            batch: Batch::default(),
        };
        for notice in &due {
            passing.pass_on(notice).await?;
        }
        Ok::<_, Failure>((passing.finish(), due.len()))
    };
    app.store.decide(attempt).await
}

struct Passing<'a> {
    app: &'a App,
    now: Timestamp,
    channels: Channels,
    /// How often each inbox was told in this hour: as stored, and with what is passed on here.
    counts: BTreeMap<Recipient, (i64, i64)>,
    batch: Batch,
}

impl Passing<'_> {
    async fn pass_on(&mut self, notice: &Notice) -> Result<(), Failure> {
        let asked = match self.app.store.request(&notice.request_id).await? {
            Some(request) => Asked::of(self.app, request).await?,
            None => None,
        };
        let Some(asked) = asked.filter(|asked| !asked.profile.approval.notices.is_empty()) else {
            self.add(|batch| batch.take_notice(notice));
            return Ok(());
        };
        if asked.is_quiet(self.app) {
            let until = self.now + PUT_OFF;
            self.add(|batch| batch.postpone_notice(notice, until));
            return Ok(());
        }
        self.add(|batch| batch.take_notice(notice));
        let own = self.own(notice, &asked).await?;
        for recipient in own {
            if self.may_tell(&recipient, &asked).await? {
                self.ask_own(&recipient, &asked);
                if recipient == notice.recipient {
                    self.ask_shared(&recipient, &asked);
                }
            }
        }
        let is_group = matches!(notice.recipient, Recipient::Group(_));
        if is_group && self.may_tell(&notice.recipient, &asked).await? {
            self.ask_shared(&notice.recipient, &asked);
        }
        Ok(())
    }

    /// The approvers whom this notice is for: of a group those who have a channel of their own.
    async fn own(&self, notice: &Notice, asked: &Asked) -> Result<Vec<Recipient>, Failure> {
        let mut own = Vec::new();
        let candidates: BTreeSet<&str> = match &notice.recipient {
            Recipient::Approver(id) => BTreeSet::from([id.as_str()]),
            Recipient::Group(_) => self.channels.owners().collect(),
        };
        for id in candidates {
            if let Recipient::Group(group) = &notice.recipient
                && !self.app.every_group_of(id).await?.contains(group)
            {
                continue;
            }
            let recipient = Recipient::Approver(id.to_owned());
            if asked.is_for(self.app, &recipient).await? {
                own.push(recipient);
            }
        }
        Ok(own)
    }

    /// And counts it.
    async fn may_tell(&mut self, recipient: &Recipient, asked: &Asked) -> Result<bool, Failure> {
        let Some(most) = asked.profile.limits.prompts_per_hour else {
            return Ok(true);
        };
        let (before, now) = if let Some(counts) = self.counts.get(recipient) {
            *counts
        } else {
            let stored = self.app.store.notices_counted(recipient, self.now).await?;
            (stored, stored)
        };
        let may = now < i64::from(most);
        self.counts
            .insert(recipient.clone(), (before, if may { now + 1 } else { now }));
        Ok(may)
    }

    fn ask_own(&mut self, recipient: &Recipient, asked: &Asked) {
        if let Recipient::Approver(id) = recipient {
            self.ask(self.channels.own(id).collect(), recipient, asked);
        }
    }

    fn ask_shared(&mut self, recipient: &Recipient, asked: &Asked) {
        self.ask(self.channels.shared(recipient).collect(), recipient, asked);
    }

    fn ask(&mut self, channels: Vec<Channel>, recipient: &Recipient, asked: &Asked) {
        let is_allowed = |channel: &Channel| asked.may_be_told_by(channel.kind());
        for channel in channels.into_iter().filter(is_allowed) {
            self.batch = std::mem::take(&mut self.batch).ask_delivery(&channel.to_text(), recipient, self.now);
        }
    }

    fn add(&mut self, step: impl FnOnce(Batch) -> Batch) {
        self.batch = step(std::mem::take(&mut self.batch));
    }

    fn finish(self) -> Batch {
        let changed = self.counts.iter().filter(|(_, (before, after))| after > before);
        changed.fold(self.batch, |batch, (recipient, counts)| {
            batch.count_notices(recipient, *counts, self.now)
        })
    }
}
