//! What is shown once is stored nowhere: every table is read after a whole flow.

use super::world::on_both;

/// Every row of every table as text.
const TABLES: [&str; 8] = [
    "SELECT content || digest || state_detail || device_code_digest || user_code_mac FROM authorization_request",
    "SELECT decision || evidence FROM approval",
    "SELECT id || scope || resource FROM access_grant",
    "SELECT digest || COALESCE(successor, '') FROM refresh_token",
    "SELECT registration FROM client",
    "SELECT token_digest FROM enrollment",
    "SELECT sealed FROM signing_key",
    "SELECT detail FROM event",
];

#[test]
fn no_code_token_or_secret_is_in_any_table() {
    on_both(async |world| {
        world.cli().await;
        let secret = "a secret of a resource server";
        world.client("sec", serde_json::json!({ "secret": secret })).await;
        let alice = world.approver("alice").await;
        let asked = world.ask("cli").await;
        world.approve(&asked.text("user_code"), &alice).await;
        let tokens = world.poll(&asked.text("device_code")).await;
        let refreshed = world.refresh(&tokens.text("refresh_token")).await;
        world.refresh(&tokens.text("refresh_token")).await;

        let mut needles = vec![secret.to_owned(), asked.text("device_code"), asked.text("user_code")];
        needles.push(asked.text("user_code").replace('-', ""));
        for answer in [&tokens, &refreshed] {
            needles.extend([
                answer.text("access_token"),
                answer.text("refresh_token"),
                answer.text("id_token"),
            ]);
        }
        for sql in TABLES {
            let rows = world.app.store.rows(sql, []).await.unwrap();
            assert!(!rows.is_empty(), "{sql}");
            for row in rows {
                let text = row.text(0).unwrap();
                for needle in &needles {
                    assert!(!text.contains(needle.as_str()), "a secret is in: {sql}");
                }
            }
        }
    });
}
