//! `waypass notice`: how approvers are told that something waits. For whoever runs the server.

use clap::Subcommand;
use protocol::wire::local::{AddWebhook, WebhookTested, WebhookView};
use serde_json::Value;

use crate::date;
use crate::failure::Failure;
use crate::io::Io;
use crate::local::LocalArgs;
use crate::print::{or_dash, say};

/// Tell approvers that something waits for them.
#[derive(Debug, Subcommand)]
pub enum NoticeCommand {
    /// Signed requests to an address of yours, for a chat
    #[command(subcommand)]
    Webhook(WebhookCommand),
}

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Add a webhook and print the secret that signs what it gets
    ///
    ///   waypass notice webhook add https://chat.example.com/hook --group ops --data data
    #[command(verbatim_doc_comment)]
    Add(AddArgs),
    /// List all webhooks
    List(LocalArgs),
    /// Remove a webhook
    Remove(OneArgs),
    /// Send something to a webhook now, and say whether it was taken
    Test(OneArgs),
}

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Where it goes: an https address outside of the server's own networks
    url: String,
    /// What waits for this approver [default: what waits for anybody]
    #[arg(long, value_name = "NAME", conflicts_with = "group")]
    approver: Option<String>,
    /// What waits for this group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    #[command(flatten)]
    local: LocalArgs,
}

#[derive(Debug, clap::Args)]
pub struct OneArgs {
    /// The webhook's id, as `list` prints it
    id: String,
    #[command(flatten)]
    local: LocalArgs,
}

impl NoticeCommand {
    pub fn json(&self) -> bool {
        let Self::Webhook(command) = self;
        match command {
            WebhookCommand::Add(args) => args.local.json,
            WebhookCommand::List(local) => local.json,
            WebhookCommand::Remove(args) | WebhookCommand::Test(args) => args.local.json,
        }
    }
}

pub async fn run(command: &NoticeCommand, io: &mut Io) -> Result<(), Failure> {
    let NoticeCommand::Webhook(command) = command;
    match command {
        WebhookCommand::Add(args) => {
            let body = AddWebhook {
                url: args.url.clone(),
                approver: args.approver.clone(),
                group: args.group.clone(),
            };
            let value = args.local.open()?.post(io, &["webhooks"], &body).await?;
            args.local.tell(io, value, added)
        }
        WebhookCommand::List(local) => {
            let value = local.open()?.get(io, &["webhooks"]).await?;
            local.tell(io, value, list)
        }
        WebhookCommand::Remove(OneArgs { id, local }) => {
            let value = local.open()?.delete(io, &["webhooks", id]).await?;
            local.tell_done(io, &value, &format!("{id} is removed."));
            Ok(())
        }
        WebhookCommand::Test(OneArgs { id, local }) => {
            let path = ["webhooks", id, "test"];
            let value = local.open()?.post(io, &path, &Value::Null).await?;
            must_be_taken(&value)?;
            local.tell(io, value, |io, _: WebhookTested| say!(io.output, "It was taken."))
        }
    }
}

fn added(io: &mut Io, webhook: WebhookView) {
    let secret = webhook.secret.unwrap_or_default();
    say!(
        io.output,
        "{} is added. What signs its notices, told this once:",
        webhook.id
    );
    say!(io.output, "");
    say!(io.output, "    {secret}");
}

fn must_be_taken(tested: &Value) -> Result<(), Failure> {
    match tested.get("because").and_then(Value::as_str) {
        None => Ok(()),
        Some(why) => Err(Failure::unreachable(format!("the webhook did not take it: {why}"))
            .hint("docs/events.md says what the word means, at notice.given_up")),
    }
}

fn list(io: &mut Io, webhooks: Vec<WebhookView>) {
    let rows = webhooks.into_iter().map(|webhook| {
        let whose = match (webhook.approver, webhook.group) {
            (Some(approver), _) => format!("approver {approver}"),
            (None, Some(group)) => format!("group {group}"),
            (None, None) => "all".to_owned(),
        };
        [
            webhook.id,
            whose,
            webhook.host,
            date::moment(webhook.created_at),
            or_dash(webhook.off_at.map(date::moment)),
        ]
    });
    io.output.table(["WEBHOOK", "FOR", "HOST", "SINCE", "OFF SINCE"], rows);
}
