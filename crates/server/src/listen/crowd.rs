//! Who holds how many connections. A global limit alone would let one host keep everybody else out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::peer::{self, Network};

#[derive(Default)]
pub struct Crowd {
    seats: Mutex<HashMap<Network, u32>>,
}

/// One connection of a network; given back when dropped.
pub struct Seat {
    crowd: Arc<Crowd>,
    network: Network,
}

impl Crowd {
    /// None where the network holds `most` already.
    pub fn seat(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Seat> {
        let network = peer::network(address);
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let held = seats.entry(network).or_default();
        if *held >= most {
            return None;
        }
        *held += 1;
        Some(Seat {
            crowd: Arc::clone(self),
            network,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.crowd.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = seats.get_mut(&self.network) {
            *held -= 1;
            if *held == 0 {
                seats.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_never_holds_more_than_its_seats_and_keeps_nobody_else_out() {
        let crowd = Arc::new(Crowd::default());
        let (host, neighbour) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let other = "192.0.2.1".parse().unwrap();
        let first = crowd.seat(host, 2);
        let second = crowd.seat(neighbour, 2);
        assert!(first.is_some() && second.is_some());
        assert!(crowd.seat(host, 2).is_none(), "a /64 is one network");
        assert!(crowd.seat(other, 2).is_some());
        drop(first);
        assert!(crowd.seat(host, 2).is_some());
        drop(second);
        assert!(crowd.seats.lock().unwrap().is_empty(), "who has left is forgotten");
    }
}
