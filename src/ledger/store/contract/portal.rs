//! Links to the portal, and customers' sessions.

use super::*;
use crate::command::portal::{
    BeginPortalSession, MAX_LINKS, MAX_SESSIONS, NewLink, NewSession, UseLink, UsePortalSession, is_over,
};
use crate::domain::portal::PortalRefusal;
use jiff::SignedDuration;

fn value(number: u16) -> [u8; 32] {
    let mut value = [0; 32];
    value[..2].copy_from_slice(&number.to_be_bytes());
    value
}

impl World {
    async fn links(&self, number: u16, account: &str) {
        let link = NewLink {
            account: account.to_owned(),
            id: format!("link_{number}"),
            hash: value(number),
            return_url: Some("https://example.com".to_owned()),
            lifetime: SignedDuration::from_mins(5),
        };
        self.run(Command::CreatePortalLink(link)).await.unwrap();
    }

    async fn enters(&self, number: u16) -> Result<(), PortalRefusal> {
        let session = NewSession { hash: value(number), id: format!("session_{number}") };
        self.store.use_link(UseLink { link: value(number), session }, self.now()).await.unwrap()
    }

    async fn is_inside(&self, number: u16) -> bool {
        let found = self.store.portal_session(value(number)).await.unwrap();
        found.is_some_and(|(row, ..)| !is_over(&row, self.now()))
    }
}

pub async fn a_link_to_the_portal_is_used_once_and_in_time(mut world: World) {
    world.customer("acme").await;
    world.links(1, "acme").await;
    let (link, customer) = world.store.portal_link(value(1)).await.unwrap().unwrap();
    assert_eq!((link.used_at, customer.id.as_str()), (None, "acme"));
    assert_eq!(world.enters(2).await, Err(PortalRefusal::UnknownLink));
    assert_eq!(world.enters(1).await, Ok(()));
    assert_eq!(world.enters(1).await, Err(PortalRefusal::UsedLink));
    let (row, customer, key) = world.store.portal_session(value(1)).await.unwrap().unwrap();
    assert_eq!((row.read_only, row.return_url.as_deref()), (false, Some("https://example.com")));
    assert_eq!((customer.id.as_str(), key), ("acme", None));

    world.links(3, "acme").await;
    world.second += 5 * 60;
    assert_eq!(world.enters(3).await, Err(PortalRefusal::UnknownLink), "too late");
    let many = u16::try_from(MAX_LINKS).unwrap() + 5;
    for number in 100..100 + many {
        world.second += 1;
        world.links(number, "acme").await;
    }
    assert_eq!(world.enters(104).await, Err(PortalRefusal::UnknownLink), "the oldest made room");
    assert_eq!(world.enters(105).await, Ok(()));
    world.run(Command::TurnAccount { account: "acme".into(), turn: Transition::Close }).await.unwrap();
    assert_eq!(world.enters(106).await, Err(PortalRefusal::Closed));
    world.second += 13 * 60 * 60;
    while world.store.prune(world.now()).await.unwrap() > 0 {}
    assert!(world.store.portal_link(value(106)).await.unwrap().is_none());
    assert!(world.store.portal_session(value(1)).await.unwrap().is_none());
}

pub async fn a_customers_session_ends_by_age_idleness_and_number(mut world: World) {
    world.customer("acme").await;
    world.links(1, "acme").await;
    world.enters(1).await.unwrap();
    let (row, customer, _) = world.store.portal_session(value(1)).await.unwrap().unwrap();
    for _ in 0..23 {
        world.second += 30 * 60;
        assert!(world.is_inside(1).await, "it is used");
        world.store.use_portal_session(UsePortalSession(row.hash.clone()), world.now()).await.unwrap();
    }
    world.second += 30 * 60;
    assert!(!world.is_inside(1).await, "12 hours have passed");

    let begin = |number: u16, read_only| BeginPortalSession {
        session: NewSession { hash: value(number), id: format!("session_{number}") },
        account: customer.no,
        key: None,
        read_only,
    };
    let many = u16::try_from(MAX_SESSIONS).unwrap() + 3;
    for number in 10..10 + many {
        world.second += 1;
        world.store.begin_portal_session(begin(number, false), world.now()).await.unwrap().unwrap();
    }
    assert!(world.store.portal_session(value(1)).await.unwrap().is_none(), "what is over is gone");
    let mut inside = 0;
    for number in 10..10 + many {
        inside += usize::from(world.is_inside(number).await);
    }
    assert_eq!(inside, MAX_SESSIONS);
    assert!(!world.is_inside(12).await && world.is_inside(13).await);
    world.second += 60 * 60;
    assert!(!world.is_inside(13).await, "an hour without use");
}
