//! The scanner against a parser that has the whole document.

use super::*;
use crate::decide::meter::node::Take;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

/// What a scanner reports of a value, in order.
fn expected(node: Option<&'static Node>, json: &Json, log: &mut Log) {
    let Some(node) = node else { return };
    let takes = !matches!(node.take, Take::Nothing);
    let is_text = matches!(node.take, Take::Output | Take::Weigh);
    match json {
        Json::Object(_) | Json::Array(_) if node.children.is_empty() => match node.take {
            Take::Weigh => log.output(json.to_string().len()),
            Take::Nothing | Take::Output => {}
            _ => log.value(node, Value::Unusable),
        },
        Json::Object(_) | Json::Array(_) => {
            if takes {
                log.value(node, Value::Open);
            }
            for (key, member) in json.as_object().into_iter().flatten() {
                let child = node.children.iter().find(|child| child.key == key && key != "*");
                expected(child, member, log);
            }
            for item in json.as_array().into_iter().flatten() {
                expected(node.children.iter().find(|child| child.key == "*"), item, log);
            }
            if takes {
                log.closed(node);
            }
        }
        Json::String(text) if is_text => log.output(text.len()),
        Json::String(text) if node.take.is_text() && text.len() <= 63 => {
            log.value(node, Value::Text(text.as_bytes()));
        }
        _ if !takes => {}
        Json::String(_) => log.value(node, Value::Unusable),
        Json::Null => log.value(node, Value::Null),
        Json::Bool(is) => log.value(node, Value::Bool(*is)),
        Json::Number(number) => log.value(node, number.as_u64().map_or(Value::Unusable, Value::Whole)),
    }
}

/// Keys of the tree, and others.
fn keys() -> Vec<String> {
    fn collect(node: &Node, keys: &mut Vec<String>) {
        keys.push(node.key.to_owned());
        node.children.iter().for_each(|child| collect(child, keys));
    }
    let mut keys = vec!["x".to_owned(), "quote\"é\n".to_owned(), "k".repeat(70)];
    collect(&TREE.root, &mut keys);
    keys.sort();
    keys.dedup();
    keys
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-9i64..9).prop_map(Json::from),
        "[a-z\"\\\\{}\\[\\]:,é😀\\n\\x01]{0,8}".prop_map(Json::from),
        "[a-z]{60,66}".prop_map(Json::from),
    ]
}

/// A document that follows the tree's paths more often than not.
fn document(node: &'static Node, depth: u32) -> BoxedStrategy<Json> {
    if depth == 0 {
        return scalar().boxed();
    }
    let mut members: Vec<(String, &'static Node)> =
        node.children.iter().map(|child| (child.key.to_owned(), child)).collect();
    members.extend(keys().into_iter().map(|key| (key, &TREE.root)));
    let known = node.children.len().max(1);
    let pick = prop_oneof![4 => 0..known, 1 => 0..members.len()];
    let member = pick.prop_flat_map(move |index| {
        let (key, child) = members[index].clone();
        document(child, depth - 1).prop_map(move |json| (key.clone(), json))
    });
    let object = prop::collection::vec(member, 0..4).prop_map(|members| Json::from(Map::from_iter(members)));
    let item = node.children.iter().find(|child| child.key == "*").unwrap_or(node);
    let list = prop::collection::vec(document_later(item, depth - 1), 0..3).prop_map(Json::from);
    let has_items = u32::from(node.children.iter().any(|child| child.key == "*"));
    prop_oneof![1 => scalar(), 2 => object, 1 + 4 * has_items => list].boxed()
}

/// The same, made when it is needed.
fn document_later(node: &'static Node, depth: u32) -> BoxedStrategy<Json> {
    Just(()).prop_flat_map(move |()| document(node, depth)).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_scanner_finds_what_a_parser_finds(
        json in document(&TREE.root, 7).prop_filter("a document", Json::is_object),
        pretty in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) }.unwrap();
        let (one, two) = text.as_bytes().split_at(cut.index(text.len()));
        let mut found = Log::default();
        let mut scanner = Scanner::new(&TREE, u8::MAX);
        scanner.feed(one, &mut found);
        scanner.feed(two, &mut found);
        let mut wanted = Log::default();
        expected(Some(&TREE.root), &json, &mut wanted);
        wanted.document();
        // Whitespace is weighed, too.
        let exact = !pretty;
        prop_assert_eq!(found.settled(exact), wanted.settled(exact), "{}", text);
        prop_assert!(scanner.is_outside());
    }
}
