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
        for id in &own {
            let recipient = Recipient::Approver(id.clone());
            let mut channels: Vec<Channel> = self.channels.own(id).collect();
            if recipient == notice.recipient {
                channels.extend(self.channels.shared(&recipient));
            }
            self.ask(channels, &recipient, &asked).await?;
        }
        if matches!(notice.recipient, Recipient::Group(_)) {
            let channels = self.channels.shared(&notice.recipient).collect();
            self.ask(channels, &notice.recipient, &asked).await?;
        }
        Ok(())
    }

    /// The approvers whom this notice is for: of a group those who have a channel of their own.
    async fn own(&self, notice: &Notice, asked: &Asked) -> Result<Vec<String>, Failure> {
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
            if asked.is_for(self.app, &Recipient::Approver(id.to_owned())).await? {
                own.push(id.to_owned());
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

    /// What is told to nobody is not counted.
    async fn ask(&mut self, mut channels: Vec<Channel>, recipient: &Recipient, asked: &Asked) -> Result<(), Failure> {
        channels.retain(|channel| asked.may_be_told_by(channel.kind()));
        if channels.is_empty() || !self.may_tell(recipient, asked).await? {
            return Ok(());
        }
        let now = self.now;
        for channel in channels {
            self.add(|batch| batch.ask_delivery(&channel.to_text(), recipient, now));
        }
        Ok(())
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
