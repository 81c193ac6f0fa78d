//! Table `guess_counter`: wrong user codes, in the database so that all nodes agree.

use protocol::guess::{Counts, Limits};
use protocol::refusal::Refusal;
use protocol::time::Timestamp;

use crate::batch::args;
use crate::{Batch, Fault, Store};

const COUNTS: &str =
    "SELECT subject, guesses FROM guess_counter WHERE window_start = $1 AND subject IN ($2, $3, 'total')";
// The count and its limit are one statement: of many guesses at once only as many as allowed pass.
const COUNT: &str = "INSERT INTO guess_counter (subject, window_start, guesses) VALUES ($1, $2, 1)
    ON CONFLICT (subject, window_start) DO UPDATE SET guesses = guess_counter.guesses + 1
    WHERE guess_counter.guesses < $3";
const COUNT_ANY: &str = "INSERT INTO guess_counter (subject, window_start, guesses) VALUES ($1, $2, 1)
    ON CONFLICT (subject, window_start) DO UPDATE SET guesses = guess_counter.guesses + 1";
const GIVE_BACK: &str = "UPDATE guess_counter SET guesses = guesses - 1
    WHERE window_start = $1 AND subject IN ($2, $3, 'total') AND guesses > 0";

/// Who tries: `approver:` and the id, `source:` and the network.
pub struct Guesser {
    pub approver: String,
    pub source: String,
}

impl Guesser {
    pub fn new(approver_id: &str, source: &str) -> Self {
        Self {
            approver: format!("approver:{approver_id}"),
            source: format!("source:{source}"),
        }
    }
}

impl Store {
    pub async fn guess_counts(&self, guesser: &Guesser, now: Timestamp) -> Result<Counts, Fault> {
        let window = Limits::window(now).millis();
        let mut counts = Counts::default();
        for row in self
            .rows(COUNTS, args![window, &*guesser.approver, &*guesser.source])
            .await?
        {
            let subject = row.text(0)?;
            let guesses = row.int(1)?;
            if subject == guesser.approver {
                counts.approver = guesses;
            } else if subject == guesser.source {
                counts.source = guesses;
            } else {
                counts.total = guesses;
            }
        }
        Ok(counts)
    }
}

impl Batch {
    /// Every try counts before the code is looked up.
    pub fn count_guess(self, guesser: &Guesser, limits: Limits, now: Timestamp) -> Self {
        let window = Limits::window(now).millis();
        self.one(
            COUNT,
            args![&*guesser.approver, window, limits.approver],
            Refusal::GuessesExhausted,
        )
        .one(
            COUNT,
            args![&*guesser.source, window, limits.source],
            Refusal::GuessesExhausted,
        )
        .any(COUNT_ANY, args!["total", window])
    }

    /// A right code was no guess. Only this one is given back: the count never starts anew.
    pub fn give_back_guess(self, guesser: &Guesser, now: Timestamp) -> Self {
        self.any(
            GIVE_BACK,
            args![Limits::window(now).millis(), &*guesser.approver, &*guesser.source],
        )
    }
}
