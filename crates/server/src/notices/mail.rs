//! E-mail by SMTP (RFC 5321), in plain text. An address is set by an administrator and by nobody else: an approver's
//! session that was stolen cannot lead notices elsewhere, and nobody can make this server write to strangers.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor};
use protocol::approver::Approver;
use protocol::event::Action;
use store::{Batch, Fault};

use super::Undelivered;
use super::channel::Channel;
use super::delivering::Message;
use crate::app::App;
use crate::config::{Encryption, MailConfig};
use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_secs(8);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

pub struct Mailer {
    transport: Transport,
    from: Mailbox,
}

impl Mailer {
    /// `own_name`: by which it greets.
    pub fn open(config: &MailConfig, own_name: &str) -> Result<Self, Fault> {
        let broken = |what: &str| Fault::broken(format!("[mail] {what}"));
        let unusable = |error| broken("TLS cannot be set up").because(error);
        let builder = match config.encryption {
            Encryption::Starttls => Transport::starttls_relay(&config.server).map_err(unusable)?,
            Encryption::Tls => Transport::relay(&config.server).map_err(unusable)?,
            Encryption::Off => Transport::builder_dangerous(&config.server),
        };
        let mut builder = builder
            .port(config.port)
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(own_name.to_owned()));
        if let Some(login) = &config.login {
            let file = &login.password_file;
            let password = std::fs::read_to_string(file);
            let password =
                password.map_err(|error| broken(&format!("{} cannot be read", file.display())).because(error))?;
            builder = builder.credentials(Credentials::new(login.username.clone(), password.trim().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            from: config
                .from
                .parse()
                .map_err(|error| broken("from is no address").because(error))?,
        })
    }

    async fn send(&self, app: &App, to: Address, message: &Message) -> Result<(), Undelivered> {
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(app.now().millis()).unwrap_or_default());
        let mail = Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(message.sentence().trim_end_matches('.'))
            .date(at)
            .message_id(Some(format!("<{}@{}>", message.id, app.config.issuer.host())))
            // RFC 3834 §5: no answer by a machine.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(text(message));
        let mail = mail.map_err(|_| Undelivered::Unusable)?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Undelivered::Refused),
            Err(error) if error.is_client() => Err(Undelivered::Unsupported),
            Err(error) => Err(Undelivered::unconnected(&error)),
        }
    }
}

fn text(message: &Message) -> String {
    let asks = message.client_name.as_ref();
    let asks = asks.map_or_else(String::new, |name| format!("{name} asks.\n"));
    format!(
        "{}\n{asks}\nYour inbox: {}\n\nThis message holds no code and nothing to press. Whoever sends you one is not us.\n",
        message.sentence(),
        message.inbox
    )
}

/// `None` takes it away.
pub async fn set_address(app: &App, approver: &Approver, address: Option<&str>) -> Result<(), Failure> {
    let action = match address {
        Some(_) if app.mailer.is_none() => {
            return Err(Failure::Invalid(
                "this server sends no e-mail: its configuration has no [mail]".into(),
            ));
        }
        Some(address) if address.parse::<Address>().is_err() => {
            return Err(Failure::Invalid("that is no e-mail address".into()));
        }
        Some(_) => Action::NoticeChannelAdded,
        None => Action::NoticeChannelRemoved,
    };
    let event = app.event(action).approver(&approver.id).with("notice.channel", "mail");
    let event = event.with("notice.channel_id", approver.id.clone());
    let batch = match address {
        Some(address) => Batch::default().set_mail_address(&approver.id, address, app.now()),
        None => Batch::default()
            .remove_mail_address(&approver.id)
            .end_channel(&Channel::Mail(approver.id.clone()).to_text()),
    };
    app.commit(batch.record(&event)?).await
}

pub async fn send(app: &App, approver_id: &str, message: &Message) -> Result<Result<(), Undelivered>, Fault> {
    let addresses = app.store.mail_addresses().await?;
    let address = addresses.into_iter().find(|mail| mail.approver_id == approver_id);
    let address = address.and_then(|mail| mail.address.parse().ok());
    match (address, &app.mailer) {
        (Some(address), Some(mailer)) => Ok(mailer.send(app, address, message).await),
        _ => Ok(Err(Undelivered::Unusable)),
    }
}
