//! What a story asks of a person: every act counted where it is done, and the machine's time measured.

use std::cell::Cell;
use std::time::Instant;

use crate::browser::person::Person;

/// Seconds that an act takes a person who knows what to do. Our assumption, not measured: reading included.
const TYPED: u32 = 8;
const CLICK: u32 = 3;
const CEREMONY: u32 = 5;
const COMMAND: u32 = 10;

#[derive(Clone, Copy, Debug, Default)]
pub struct Acts {
    /// Fields filled in, codes among them.
    pub typed: u32,
    pub clicks: u32,
    /// A passkey used or made: a touch, a face, a PIN.
    pub ceremonies: u32,
    pub commands: u32,
}

pub struct Walk {
    acts: Cell<Acts>,
    began: Cell<Instant>,
}

impl Acts {
    pub fn steps(self) -> u32 {
        self.typed + self.clicks + self.ceremonies + self.commands
    }

    pub fn estimated_seconds(self) -> u32 {
        self.typed * TYPED + self.clicks * CLICK + self.ceremonies * CEREMONY + self.commands * COMMAND
    }
}

impl Walk {
    pub fn begin() -> Self {
        Self {
            acts: Cell::default(),
            began: Cell::new(Instant::now()),
        }
    }

    /// What came before was somebody else's, or long ago.
    pub fn begins_here(&self) {
        self.acts.set(Acts::default());
        self.began.set(Instant::now());
    }

    /// The acts, and the seconds that server, browser and command line took for them.
    pub fn ends(&self) -> (Acts, f32) {
        (self.acts.get(), self.began.get().elapsed().as_secs_f32())
    }

    fn counts(&self, act: impl FnOnce(&mut Acts)) {
        let mut acts = self.acts.get();
        act(&mut acts);
        self.acts.set(acts);
    }

    pub async fn types(&self, person: &Person, field: &str, text: &str) {
        person.browser.type_into(field, text).await;
        self.counts(|acts| acts.typed += 1);
    }

    pub async fn clicks(&self, person: &Person, button: &str) {
        person.browser.click(button).await;
        self.counts(|acts| acts.clicks += 1);
    }

    /// A button that asks for the passkey.
    pub async fn signs(&self, person: &Person, ceremony: &str) {
        person.browser.click(&format!("[data-passkey={ceremony}]")).await;
        self.counts(|acts| {
            acts.clicks += 1;
            acts.ceremonies += 1;
        });
    }

    /// A bookmark, or an address typed once.
    pub fn opens(&self) {
        self.counts(|acts| acts.clicks += 1);
    }

    pub fn commands(&self) {
        self.counts(|acts| acts.commands += 1);
    }
}
