use super::*;
use proptest::prelude::*;

fn map(headers: &[(&str, &str)]) -> Vec<u8> {
    let size = |text: &str| u32::try_from(text.len()).unwrap().to_le_bytes();
    let mut map = u32::try_from(headers.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in headers {
        map.extend([size(name), size(value)].concat());
    }
    for (name, value) in headers {
        map.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    map
}

/// What Envoy says of an answer: its headers, its details, and whether a connection to the API stood.
type Shown<'a> = (&'a [(&'a str, &'a str)], &'a str, bool);

fn read((headers, details, reached): Shown<'_>, refunds: &Refunds) -> Answer {
    Answer::read(&map(headers), refunds, || Some(details.as_bytes().to_vec()), || reached)
}

fn released(shown: Shown<'_>, refunds: &Refunds) -> bool {
    End::Answered(read(shown, refunds)).releases(refunds)
}

const TIMED: (&str, &str) = ("x-envoy-upstream-service-time", "1");

#[test]
fn work_done_by_the_api_is_charged_and_anything_else_is_refunded() {
    let usual = Refunds::usual();
    let reset = "upstream_reset_before_response_started";
    for (shown, is_released) in [
        ((&[(":status", "200"), TIMED][..], "via_upstream", true), false),
        ((&[(":status", "404"), TIMED], "via_upstream", true), false),
        ((&[(":status", "500"), TIMED], "via_upstream", true), false),
        ((&[(":status", "503"), TIMED], "via_upstream", true), true),
        // Envoy's option `suppress_envoy_headers`.
        ((&[(":status", "200")], "via_upstream", true), false),
        ((&[(":status", "200")], "cache.response_from_cache_filter", false), false),
        ((&[(":status", "404")], "route_not_found", false), true),
        ((&[(":status", "200")], "direct_response", false), true),
        ((&[(":status", "301")], "direct_response", false), true),
        ((&[(":status", "429")], "local_rate_limited", false), true),
        // The answer of an authorization service that Envoy called has the header, too.
        ((&[(":status", "403"), TIMED], "ext_authz_denied", false), true),
        ((&[(":status", "503")], &format!("{reset}{{connection_timeout}}"), false), true),
        ((&[(":status", "504")], "response_timeout", true), true),
        ((&[(":status", "502")], &format!("{reset}{{protocol_error}}"), true), false),
        ((&[(":status", "502"), TIMED], "via_upstream", true), true),
        ((&[(":status", "408")], "request_overall_timeout", true), false),
    ] {
        assert_eq!(released(shown, &usual), is_released, "{shown:?}");
    }
    let mut only_502 = Refunds::default();
    only_502.add_status(502);
    let unreadable = (&[(":status", "502")][..], &*format!("{reset}{{protocol_error}}"), true);
    assert!(!released(unreadable, &only_502), "the API has worked for it");
    assert!(!released((&[(":status", "404")], "route_not_found", false), &only_502));
}

#[test]
fn a_grpc_call_is_judged_by_its_grpc_status() {
    let usual = Refunds::usual();
    let answer = |code| [(":status", "200"), TIMED, ("grpc-status", code)];
    for (code, is_released) in [
        ("14", true),
        ("0", false),
        ("5", false),
        ("016", false),
        ("14 ", false),
        ("270", false),
        ("", false),
    ] {
        assert_eq!(released((&answer(code), "via_upstream", true), &usual), is_released, "{code}");
    }
    assert_eq!(grpc_status(b"99999999999999999999"), None);
    // From trailers.
    let answer = read((&[(":status", "200"), TIMED], "via_upstream", true), &usual);
    assert!(End::Answered(Answer { grpc: Some(14), ..answer }).releases(&usual));
    let mut http_only = Refunds::default();
    http_only.add_status(503);
    assert!(!End::Answered(Answer { grpc: Some(14), ..answer }).releases(&http_only));
}

#[test]
fn a_proxied_response_needs_no_further_host_calls() {
    let dear = || panic!("Envoy is asked");
    let usual = map(&[(":status", "200"), ("content-type", "a/b"), TIMED]);
    assert_eq!(Answer::read(&usual, &Refunds::usual(), dear, dear_too).origin, Origin::Api);
    let mut only_404 = Refunds::default();
    only_404.add_status(404);
    for status in ["404", "500", "503"] {
        let answer = Answer::read(&map(&[(":status", status)]), &only_404, dear, dear_too);
        assert_eq!(answer.origin, Origin::Api);
    }
}

fn dear_too() -> bool {
    panic!("Envoy is asked")
}

#[test]
fn a_request_that_never_reached_the_api_is_always_refunded() {
    let none = Refunds::default();
    assert!(
        End::NeverAsked.releases(&none) && !End::Cut.releases(&none) && !End::answered(503).releases(&none)
    );
    assert!(is_redirected(b"internal_redirect") && !is_redirected(b"via_upstream"));
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic(map in proptest::collection::vec(any::<u8>(), 0..120), details in proptest::option::of("[a-z_{}.]{0,40}")) {
        let answer = Answer::read(&map, &Refunds::usual(), || details.map(String::into_bytes), || false);
        let _ = End::Answered(answer).releases(&Refunds::usual());
    }
}
