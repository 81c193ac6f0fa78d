//! The signing keys in the database: made at the first start, read again now and then, rotated. What
//! follows what is planned in `keys/ring.rs`; here it is written.

use std::sync::Arc;

use protocol::event::Action;
use protocol::time::Timestamp;
use store::{Batch, Fault, Rejected, Store};

use crate::app::App;
use crate::entropy::EntropySource;
use crate::failure::Failure;
use crate::keys::{DerivedKeys, KeyRing, Rotation, new_key};

const CHECK: &str = "master_key_check";

/// Refuses a key file that is not the one this database was begun with.
pub async fn check_key_file(store: &Store, keys: &DerivedKeys) -> Result<(), Fault> {
    let own = keys.check_value().to_owned();
    store.commit(Batch::default().set_once(CHECK, &own)).await?;
    if store.setting(CHECK).await?.as_ref() == Some(&own) {
        Ok(())
    } else {
        Err(Fault::broken(
            "the key file is not the one that this database was begun with: give every node the same --key-file",
        ))
    }
}

/// Reads the keys, and makes those that are missing; of two nodes that do so at once one wins.
pub async fn open(
    store: &Store,
    keys: &DerivedKeys,
    entropy: &EntropySource,
    now: Timestamp,
) -> Result<KeyRing, Fault> {
    for _ in 0..5 {
        let ring = read(store, keys).await?;
        let lacking = ring.lacking();
        if lacking.is_empty() {
            return Ok(ring);
        }
        let mut batch = Batch::default();
        for kind in lacking {
            batch = batch.add_signing_key(&new_key(kind, now, keys, &entropy.draw())?);
        }
        match store.commit(batch).await {
            Ok(()) | Err(Rejected::Conflict) => {}
            Err(rejected) => return Err(rejected.into()),
        }
    }
    Err(Fault::busy("other nodes keep changing the signing keys"))
}

async fn read(store: &Store, keys: &DerivedKeys) -> Result<KeyRing, Fault> {
    Ok(KeyRing::open(&store.signing_keys().await?, keys)?)
}

/// Another node may have rotated.
pub async fn reload(app: &App) -> Result<(), Fault> {
    app.keys.store(Arc::new(read(&app.store, &app.derived).await?));
    Ok(())
}

pub async fn rotate(app: &App) -> Result<(), Failure> {
    app.store.decide(|| async { rotation(app).await }).await?;
    Ok(reload(app).await?)
}

async fn rotation(app: &App) -> Result<(Batch, ()), Failure> {
    let now = app.now();
    let ring = read(&app.store, &app.derived).await?;
    let Rotation { changes, needed } = ring.rotate(now, app.config.lifetimes.access_token);
    let mut batch = Batch::default();
    for change in changes {
        batch = batch.move_signing_key(&change.kid, change.from.as_str(), change.to.as_str(), change.retires_at);
    }
    for kind in needed {
        batch = batch.add_signing_key(&new_key(kind, now, &app.derived, &app.entropy.draw()).map_err(Fault::from)?);
    }
    Ok((batch.record(&app.event(Action::KeyRotated))?, ()))
}
