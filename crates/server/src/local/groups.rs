//! `group add|remove|list`. A member is added here, or named by the claims of an upstream sign-in; those
//! are listed beside and not removed here, since the provider says them again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use protocol::approver::is_name;
use protocol::event::Action;
use protocol::wire::local::{AddGroupMember, GroupMemberView, GroupView};
use store::Batch;

use super::approvers::find;
use crate::app::{App, Shared};
use crate::failure::Failure;

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<GroupView>>, Failure> {
    let mut groups: BTreeMap<String, Vec<GroupMemberView>> = BTreeMap::new();
    for member in app.store.group_members().await? {
        groups.entry(member.group).or_default().push(GroupMemberView {
            approver: member.approver,
            source: "local".to_owned(),
            since: member.added_at.millis(),
            until: None,
        });
    }
    for (group, member) in upstream_members(&app).await? {
        groups.entry(group).or_default().push(member);
    }
    let views = groups.into_iter().map(|(name, members)| GroupView { name, members });
    Ok(Json(views.collect()))
}

async fn upstream_members(app: &App) -> Result<Vec<(String, GroupMemberView)>, Failure> {
    let (Some(config), Some(claims)) = (&app.config.upstream, app.counted_claims()) else {
        return Ok(Vec::new());
    };
    let mut members = Vec::new();
    for identity in app.store.upstream_identities_seen(&claims).await? {
        for group in claims.names(&identity) {
            let member = GroupMemberView {
                approver: identity.approver.clone(),
                source: "upstream".to_owned(),
                since: identity.seen_at.millis(),
                until: Some((identity.seen_at + config.groups_lifetime).millis()),
            };
            members.push((group, member));
        }
    }
    Ok(members)
}

pub async fn add(
    State(app): State<Shared>,
    Path(group): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    let asked: AddGroupMember = super::body(request).await?;
    if !is_name(&group) {
        return Err(Failure::Invalid(
            "a group's name is 1 to 64 letters, digits or . - _ @ +".to_owned(),
        ));
    }
    let attempt = || async {
        let approver = find(&app, &asked.approver).await?;
        let event = app.event(Action::GroupMemberAdded).approver(&approver.id);
        let batch = Batch::default()
            .add_group_member(&group, &approver, app.now())
            .record(&event.with("group.name", group.clone()))?;
        Ok::<_, Failure>((batch, ()))
    };
    app.store.decide(attempt).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn remove(
    State(app): State<Shared>,
    Path((group, name)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    let attempt = || async {
        let approver = find(&app, &name).await?;
        let groups = app.store.groups_of(&approver.id, None).await?;
        if !groups.contains(&group) {
            return Err(Failure::NotFound(
                "This approver was not added to a group of this name.",
            ));
        }
        let event = app.event(Action::GroupMemberRemoved).approver(&approver.id);
        let batch = Batch::default()
            .remove_group_member(&group, &approver)
            .record(&event.with("group.name", group.clone()))?;
        Ok((batch, ()))
    };
    app.store.decide(attempt).await?;
    Ok(StatusCode::NO_CONTENT)
}
