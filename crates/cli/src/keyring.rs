//! The desktop's keyring: the Secret Service, behind the feature `desktop-keyring`. One text per
//! account. What is not here: the kernel's keyring, which forgets at reboot and is denied in containers.

/// Errors are for people; they name no secret.
pub trait Keyring: Send + Sync {
    fn read(&self, account: &str) -> Result<Option<String>, String>;
    fn write(&self, account: &str, text: &str) -> Result<(), String>;
}

/// `None` without a session bus, without a service on it, or when it does not answer in time.
#[cfg(feature = "desktop-keyring")]
pub fn of_this_desktop() -> Option<Box<dyn Keyring>> {
    secret_service::open()
}

#[cfg(not(feature = "desktop-keyring"))]
pub fn of_this_desktop() -> Option<Box<dyn Keyring>> {
    None
}

#[cfg(feature = "desktop-keyring")]
mod secret_service {
    use std::sync::mpsc;
    use std::time::Duration;

    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use zbus_secret_service_keyring_store::Store;

    use super::Keyring;

    const SERVICE: &str = "waypass";
    /// A locked keyring asks its owner on a screen that may be far away.
    const PATIENCE: Duration = Duration::from_secs(30);

    pub fn open() -> Option<Box<dyn Keyring>> {
        on_a_thread(|| Store::new().map(drop)).ok()?;
        Some(Box::new(SecretService))
    }

    /// Holds no connection: even to drop one waits, so each act makes and ends its own.
    struct SecretService;

    fn with_entry<T: Send + 'static>(
        account: &str,
        act: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let account = account.to_owned();
        on_a_thread(move || act(&Store::new()?.build(SERVICE, &account, None)?))
    }

    impl Keyring for SecretService {
        fn read(&self, account: &str) -> Result<Option<String>, String> {
            with_entry(account, |entry| match entry.get_password() {
                Ok(text) => Ok(Some(text)),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(error),
            })
        }

        fn write(&self, account: &str, text: &str) -> Result<(), String> {
            let text = zeroize::Zeroizing::new(text.to_owned());
            with_entry(account, move |entry| entry.set_password(&text))
        }
    }

    /// The library waits in its own way, which must not happen inside our runtime.
    fn on_a_thread<T: Send + 'static>(
        act: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // Nobody listens any more when patience ran out.
            let _ = sender.send(act().map_err(|error| error.to_string()));
        });
        receiver
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| Err("the keyring does not answer".to_owned()))
    }
}
