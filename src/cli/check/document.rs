//! Reads a file into documents that know on which line each of their values is.
//!
//! What must hold: a file that ends in `.json` is read as JSON and nothing else; any other may be JSON or YAML, which is
//! nearly a superset. A member that is there twice is an error in both.

use faregate_client::Failure;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// One document of a file.
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Where its values are.
    pub lines: Lines,
}

/// The lines of a document's values, by their paths.
#[derive(Default)]
pub struct Lines(HashMap<String, u64>);

impl Lines {
    /// The line of what is at this path, or of the nearest thing around it.
    pub fn find(&self, path: &str) -> Option<u64> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }
}

/// The path of a member.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The documents of a file with this text.
pub fn read(file: &Path, name: &str, text: &str) -> Result<Vec<Document>, Failure> {
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let syntax = |what: &str| Failure::new("syntax", format!("{name} is {what}"));
    let mut trees: Vec<Tree> = Vec::new();
    if is_json {
        let tree = serde_json::from_str(text).map_err(|error| {
            syntax(&format!("not JSON: {error}"))
                .cure("a file that ends in .json is read as JSON alone; name one with YAML in it .yaml")
        })?;
        trees.push(tree);
    }
    // The parser of YAML knows lines; what it can't read of JSON stays without them.
    match serde_saphyr::from_multiple(text) {
        Ok(read) => trees = read,
        Err(_) if is_json => {}
        Err(error) => return Err(syntax(&format!("neither JSON nor YAML: {error}"))),
    }
    let document = |tree: Tree| {
        let mut lines = Lines::default();
        let value = tree.into_value(&mut String::new(), &mut lines);
        Document { value, lines }
    };
    Ok(trees.into_iter().map(document).collect())
}

/// A value and its line.
struct Tree(Spanned<Node>);

enum Node {
    Plain(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    fn into_value(self, path: &mut String, lines: &mut Lines) -> Value {
        let line = self.0.referenced.line();
        if line > 0 {
            lines.0.insert(path.clone(), line);
        }
        let end = path.len();
        let mut read = |step: &str, tree: Self| {
            path.push_str(step);
            let value = tree.into_value(path, lines);
            path.truncate(end);
            value
        };
        match self.0.value {
            Node::Plain(value) => value,
            Node::List(items) => {
                let items = items.into_iter().enumerate();
                items.map(|(number, item)| read(&format!("[{number}]"), item)).collect()
            }
            Node::Object(members) => {
                let dot = if end == 0 { "" } else { "." };
                let members = members.into_iter().map(|(name, member)| {
                    let value = read(&format!("{dot}{name}"), member);
                    (name, value)
                });
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Node, E> {
        Ok(Node::Plain(is.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Plain(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Plain(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        // YAML also has numbers that JSON hasn't, such as `.inf`.
        Ok(Node::Plain(Number::from_f64(number).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Plain(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Tree)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format_args!("the member {name:?} is there a second time")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(file: &str, text: &str) -> Result<Vec<Document>, String> {
        read(Path::new(file), file, text).map_err(|failure| failure.detail)
    }

    #[test]
    fn every_value_has_its_line() {
        let text = "a: 1\nb:\n  - x\n  - {c: [true, null, 1.5]}\n---\nd: |\n  text\n";
        let documents = read_as("gate.yaml", text).unwrap();
        let [first, second] = documents.as_slice() else { panic!("{} documents", documents.len()) };
        assert_eq!(first.value, serde_json::json!({"a": 1, "b": ["x", {"c": [true, null, 1.5]}]}));
        assert_eq!(second.value, serde_json::json!({"d": "text\n"}));
        for (path, line) in [("a", 1), ("b[0]", 3), ("b[1].c[2]", 4), ("b[1].nothing", 4), ("b[0].x.y", 3)] {
            assert_eq!(first.lines.find(path), Some(line), "{path}");
        }
        let json = read_as("gate.json", "{\n\t\"a\": 1,\n\t\"b\": [\n\t\t2\n\t]\n}").unwrap();
        assert_eq!(json[0].lines.find("b[0]"), Some(4));
    }

    #[test]
    fn a_json_file_is_read_strictly() {
        for wrong in [
            "a: 1",
            "{\"a\": 1,}",
            "{a: 1}",
            "{\"a\": 1} # why",
            "{\"a\": 01}",
            "{\"a\": 1}\n---\n{\"a\": 1}",
        ] {
            let said = read_as("gate.json", wrong).err().expect(wrong);
            assert!(said.starts_with("gate.json is not JSON: ") && said.contains("line "), "{wrong}: {said}");
        }
        assert!(read_as("gate.yaml", "{\"a\": 1} # why").is_ok());
        for file in ["gate.json", "gate.yaml"] {
            assert!(read_as(file, "{\"a\": 1, \"a\": 2}").is_err(), "{file}");
        }
    }
}
