//! Sessions in the console.

use super::*;
use crate::command::sessions::{BeginSession, EndSession, MAX_SESSIONS, UseSession, is_over};

impl World {
    async fn begins(&self, number: u8, operator: &str) {
        let session = BeginSession {
            peer: "192.0.2.1".to_owned(),
            hash: [number; 32],
            operator: operator.to_owned(),
            token: Some("token_1".to_owned()),
            proof: None,
            identity: None,
        };
        self.store.begin_session(session, self.now()).await.unwrap();
    }

    async fn lives(&self, number: u8) -> bool {
        let found = self.store.session([number; 32]).await.unwrap();
        found.is_some_and(|row| !is_over(&row, self.now()))
    }
}

pub async fn a_session_ends_by_age_idleness_signing_out_and_the_eleventh(mut world: World) {
    world.begins(1, "alice").await;
    assert!(world.lives(1).await && !world.lives(2).await);
    for _ in 0..23 {
        world.second += 30 * 60;
        assert!(world.lives(1).await, "it is used");
        world.store.use_session(UseSession(vec![1; 32]), world.now()).await.unwrap();
    }
    world.second += 30 * 60;
    assert!(!world.lives(1).await, "12 hours have passed");
    world.begins(2, "alice").await;
    assert!(world.store.session([1; 32]).await.unwrap().is_none(), "what is over is gone");
    world.second += 60 * 60;
    assert!(!world.lives(2).await, "an hour without use");

    for number in 10..25 {
        world.second += 1;
        world.begins(number, "alice").await;
    }
    world.begins(30, "bob").await;
    let mut living = 0;
    for number in 10..25 {
        living += usize::from(world.lives(number).await);
    }
    assert_eq!(living, MAX_SESSIONS);
    assert!(world.lives(24).await && !world.lives(14).await && world.lives(30).await);

    world.store.end_session(EndSession(vec![24; 32]), world.now()).await.unwrap();
    world.store.end_session(EndSession(vec![24; 32]), world.now()).await.unwrap();
    assert!(!world.lives(24).await && world.lives(23).await);
    world.store.use_session(UseSession(vec![24; 32]), world.now()).await.unwrap();
    assert!(!world.lives(24).await, "use doesn't begin one again");
    world.second += 13 * 60 * 60;
    let ended = world.run(Command::SignOut { operator: "bob".into() }).await.unwrap();
    assert!(matches!(&ended, Done::SignedOut(ended) if ended.sessions == 0), "{ended:?}");
    world.begins(40, "bob").await;
    world.begins(41, "carol").await;
    let ended = world.run(Command::SignOut { operator: "bob".into() }).await.unwrap();
    assert!(matches!(&ended, Done::SignedOut(ended) if ended.sessions == 1), "{ended:?}");
    assert!(!world.lives(40).await && world.lives(41).await);
    while world.store.prune(world.now()).await.unwrap() > 0 {}
    assert!(world.store.session([30; 32]).await.unwrap().is_none());
}
