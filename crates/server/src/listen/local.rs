//! The socket in the data directory, by which the commands on this machine reach the server. Who may
//! open it may do everything, so nobody but the owner may, from the first moment on.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use axum::Router;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

use super::{ConnectionSettings, Places, Stopped, Talk};

/// A socket that nobody answers on was left by a server that died, and is replaced.
pub async fn bind_local(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path).await?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Before `listen` nobody can connect, so there is no moment with another mode.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(128)
}

/// As `serve_public`; the socket is removed in the end.
pub async fn serve_local(listener: UnixListener, router: Router, settings: ConnectionSettings, mut stopped: Stopped) {
    let places = Places::new(settings);
    while let Some((place, (stream, _))) = places.next(|context| listener.poll_accept(context), &mut stopped).await {
        let talk = Talk {
            router: router.clone(),
            peer: None,
            certificates: None,
            settings,
        };
        let stopped = stopped.clone();
        tokio::spawn(async move {
            talk.over(stream, stopped).await;
            drop(place);
        });
    }
    if let Some(path) = listener
        .local_addr()
        .ok()
        .as_ref()
        .and_then(|address| address.as_pathname())
    {
        let _ = fs::remove_file(path);
    }
    drop(listener);
    places.empty().await;
}

async fn remove_stale(path: &Path) -> io::Result<()> {
    let told = |kind, text| io::Error::new(kind, format!("{}: {text}", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(told(error.kind(), error.to_string())),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(told(
                io::ErrorKind::AlreadyExists,
                "is in the way and is not a socket".to_owned(),
            ));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(told(io::ErrorKind::AddrInUse, "another server answers here".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(told(error.kind(), error.to_string())),
    }
}
