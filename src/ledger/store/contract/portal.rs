//! Links to the portal, and customers' sessions.

use super::*;
use crate::api;
use crate::command::portal::{
    BeginPortalSession, CustomerIdentity, MAX_LINKS, MAX_SESSIONS, MAX_SUBJECTS, NewLink, NewSession,
    NewSubject, UseLink, UsePortalSession, is_over,
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
        found.is_some_and(|found| !is_over(&found.row, self.now()))
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
    let found = world.store.portal_session(value(1)).await.unwrap().unwrap();
    let (row, customer, key) = (found.row, found.customer, found.key);
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
    let found = world.store.portal_session(value(1)).await.unwrap().unwrap();
    let (row, customer) = (found.row, found.customer);
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
        identity: None,
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

pub async fn a_subject_belongs_to_one_account_and_its_sessions_end_with_it(mut world: World) {
    const ISSUER: &str = "https://login.test";
    for account in ["acme", "other"] {
        world.customer(account).await;
    }
    let link = |account: &str, subject: &str, access| NewSubject {
        account: account.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        access,
    };
    let full = api::PortalAccess::Full;
    world.run(Command::LinkPortalSubject(link("acme", "ann", full))).await.unwrap();
    let taken = world.run(Command::LinkPortalSubject(link("other", "ann", full))).await;
    assert!(taken.is_err(), "{taken:?}");
    let owner = async |world: &World, issuer: &str, subject: &str| {
        world.store.owner_of_subject(issuer.to_owned(), subject.to_owned()).await.unwrap()
    };
    let acme = owner(&world, ISSUER, "ann").await.unwrap();
    assert_eq!(acme.id, "acme");
    assert!(owner(&world, "https://other.test", "ann").await.is_none(), "another provider's ann");
    assert!(owner(&world, ISSUER, "Ann").await.is_none());

    let begin = |number: u16, subject: &str| BeginPortalSession {
        session: NewSession { hash: value(number), id: format!("session_{number}") },
        account: acme.no,
        key: None,
        read_only: false,
        identity: Some(CustomerIdentity {
            issuer: ISSUER.to_owned(),
            subject: subject.to_owned(),
            id_token: Some("a.b.c".to_owned()),
        }),
    };
    let now = world.now();
    world.store.begin_portal_session(begin(1, "ann"), now).await.unwrap().unwrap();
    let unknown = world.store.begin_portal_session(begin(2, "bob"), now).await.unwrap();
    assert_eq!(unknown, Err(PortalRefusal::UnknownSubject));
    let found = world.store.portal_session(value(1)).await.unwrap().unwrap();
    assert_eq!((found.subject_reads, found.row.id_token.as_deref()), (Some(false), Some("a.b.c")));
    // What it may do is looked up each time.
    world.run(Command::LinkPortalSubject(link("acme", "ann", api::PortalAccess::Read))).await.unwrap();
    let found = world.store.portal_session(value(1)).await.unwrap().unwrap();
    assert_eq!(found.subject_reads, Some(true));
    let listed = world.store.portal_subjects(Some("acme".into()), None).await.unwrap().subjects;
    assert_eq!((listed.len(), listed[0].access), (1, api::PortalAccess::Read));
    let whose = world.store.portal_subjects(None, Some("ann".into())).await.unwrap().subjects;
    assert_eq!((whose.len(), whose[0].account.as_str()), (1, "acme"));

    let unlink = |account: &str| Command::UnlinkPortalSubject {
        account: account.to_owned(),
        issuer: ISSUER.to_owned(),
        subject: "ann".to_owned(),
    };
    assert!(world.run(unlink("other")).await.is_err(), "it isn't the other's");
    world.run(unlink("acme")).await.unwrap();
    assert!(world.run(unlink("acme")).await.is_err());
    assert!(world.store.portal_session(value(1)).await.unwrap().is_none(), "its session has ended");
    world.run(Command::LinkPortalSubject(link("other", "ann", full))).await.unwrap();
    assert_eq!(owner(&world, ISSUER, "ann").await.unwrap().id, "other");
    let moved = world.store.begin_portal_session(begin(3, "ann"), now).await.unwrap();
    assert_eq!(moved, Err(PortalRefusal::UnknownSubject), "it belongs to another account now");

    for number in 0..MAX_SUBJECTS {
        world.second += 1;
        world.run(Command::LinkPortalSubject(link("acme", &format!("s{number}"), full))).await.unwrap();
    }
    assert!(world.run(Command::LinkPortalSubject(link("acme", "one-more", full))).await.is_err());
    world.run(Command::LinkPortalSubject(link("acme", "s0", api::PortalAccess::Read))).await.unwrap();
}
