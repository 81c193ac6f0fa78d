//! An operator on a slow link that breaks while somebody decides, and comes back: a proxy between the command line and
//! the server carries bytes late, is cut, and is mended.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::inbox::Machine;
use crate::database::Database;
use crate::resource_server::ResourceServer;
use crate::server::Setup;
use crate::world::{World, alone_with};

/// For each piece that goes by.
const DELAY: Duration = Duration::from_millis(120);

struct Link(watch::Sender<bool>);

impl Link {
    /// Serves for as long as the runtime lives.
    fn open(listener: TcpListener, server_port: u16) -> Self {
        let (sender, is_cut) = watch::channel(false);
        tokio::spawn(serve(listener, server_port, is_cut));
        Self(sender)
    }

    fn cut(&self) {
        self.0.send_replace(true);
    }

    fn mend(&self) {
        self.0.send_replace(false);
    }
}

async fn serve(listener: TcpListener, server_port: u16, is_cut: watch::Receiver<bool>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        // Whoever comes while it is cut finds the line dead.
        if !*is_cut.borrow() {
            tokio::spawn(carry(stream, server_port, is_cut.clone()));
        }
    }
}

async fn carry(stream: TcpStream, server_port: u16, mut is_cut: watch::Receiver<bool>) -> Option<()> {
    let server = TcpStream::connect(("127.0.0.1", server_port)).await.ok()?;
    let ((from, to), (back_from, back_to)) = (stream.into_split(), server.into_split());
    tokio::select! {
        _ = async { tokio::join!(slowly(from, back_to), slowly(back_from, to)) } => {}
        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
    }
    Some(())
}

async fn slowly(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) -> Option<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await.ok().filter(|length| *length > 0)?;
        tokio::time::sleep(DELAY).await;
        to.write_all(piece.get(..length)?).await.ok()?;
    }
}

#[test]
fn a_run_whose_link_breaks_while_somebody_decides_goes_on_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup {
        issuer: Some(format!("http://localhost:{}", listener.local_addr().unwrap().port())),
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, async |world: &World| {
        let link = Link::open(listener, world.server.port);
        let resource = ResourceServer::at_home(&world.server.issuer).await;
        let owner = world.new_approver().await;
        let name = owner.name.clone();
        let types = ["--details-type", "command", "--details-type", "api"];
        let flags = [&types[..], &["--resource", &resource.url]].concat();
        let machine = Machine::with(world, (owner, &name), &flags).await;
        let run = machine.runs(&resource.url, &["sh", "-c", "echo deployed"]).await;

        // The owner is on another network, where nothing is broken.
        let waiting = machine.waiting().await;
        let view = machine.view(&waiting[0]).await.expect(200).json();
        link.cut();
        machine.owner.approve_view(&world.server, &view).await.expect(200);
        tokio::time::sleep(Duration::from_secs(2)).await;
        link.mend();
        let (code, stdout, told) = run.ends().await;
        assert_eq!((code, &*stdout), (Some(0), "deployed\n"), "{told}");
        assert!(told.contains(&json!("started").to_string()), "{told}");
        assert!(told.contains("\"grant_ended\":true"), "{told}");
        // One request, one grant: it went on, and did not ask again.
        let events = world.events().await;
        let count = |action: &str| events.iter().filter(|event| event["action"] == action).count();
        assert_eq!((count("device.requested"), count("device.redeemed")), (1, 1));
    });
}
