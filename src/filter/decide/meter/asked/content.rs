//! What is within messages and tools: images, documents, and what has a price that the body can't tell.
//!
//! What must hold: an image's bytes are left out of the text only where the API reads them as an image; where readers may
//! disagree, they are text.

use super::places::Node;
use super::trail::Step;
use super::walk::Token;
use crate::decide::base::json::text::Text;

/// How many characters of an image's URL are read to know it.
const MAX_URL_HEAD: usize = 64;

/// What was found so far.
#[derive(Default)]
pub struct Content {
    /// How many images there are.
    pub images: u64,
    /// The bytes of those that are inline.
    pub image_bytes: u64,
    /// How many documents there are to rank.
    pub documents: u64,
    /// How many prompts there are in a list of these.
    pub prompts: u64,
    /// Whether something costs more than the body can tell.
    pub opaque: bool,
    blob: Blob,
    reference: Reference,
}

/// Inline data of any type.
#[derive(Default)]
struct Blob {
    /// How long the data is; `None`: there is none.
    bytes: Option<u64>,
    /// Whether the media type is that of an image.
    is_image: bool,
    /// Whether the type says that the data is text.
    is_text: bool,
    /// Whether the type says something else.
    is_odd: bool,
    /// How many members there were that count, by kind.
    types: u8,
    mimes: u8,
    datas: u8,
}

/// An item of a conversation, which may be only a reference to one.
#[derive(Default)]
struct Reference {
    has_id: bool,
    has_type: bool,
}

impl Content {
    /// A value begins.
    pub fn take(&mut self, step: &Step<'_>) {
        let token = step.event.token;
        match (step.node, token) {
            (_, Token::Null) => {}
            (Node::Opaque, _) => self.opaque |= token != Token::Bool(false),
            (Node::Kind, Token::Text(text)) => {
                let plain = ["function", "custom", "namespace", "text", "TEXT"];
                self.opaque |= !plain.iter().any(|kind| text.is(kind));
            }
            (Node::Prompt, Token::Text(_) | Token::Array { .. }) => self.prompts += 1,
            (Node::Document, _) => self.documents += 1,
            (Node::Message, Token::Object { .. }) => self.reference = Reference::default(),
            (Node::MessageId, _) => self.reference.has_id = true,
            (Node::MessageType, Token::Text(text)) => {
                self.reference.has_type = true;
                self.opaque |= text.is("item_reference");
            }
            (Node::ImageUrl, Token::Text(text)) => self.url(text),
            (Node::ImageData, Token::Text(text)) => self.image(text.0.len() as u64),
            (Node::Blob, Token::Object { .. } | Token::Array { .. }) => self.blob = Blob::default(),
            (Node::BlobData, Token::Text(text)) => {
                self.blob.datas = self.blob.datas.saturating_add(1);
                self.blob.bytes = Some(text.0.len() as u64);
            }
            (Node::BlobMime, Token::Text(text)) => {
                self.blob.mimes = self.blob.mimes.saturating_add(1);
                self.blob.is_image = text.chars().take(6).eq("image/".chars());
            }
            (Node::BlobType, Token::Text(text)) => {
                self.blob.types = self.blob.types.saturating_add(1);
                self.blob.is_text = text.is("text");
                self.blob.is_odd = !text.is("base64") && !text.is("image");
            }
            _ => {}
        }
    }

    /// An object or a list is complete.
    pub fn end(&mut self, node: Node) {
        if node == Node::Message {
            self.opaque |= self.reference.has_id && !self.reference.has_type;
            self.reference = Reference::default();
        }
        if node == Node::Blob {
            let blob = std::mem::take(&mut self.blob);
            let is_clear = blob.datas == 1 && blob.mimes <= 1 && blob.types <= 1;
            match blob.bytes {
                None => {}
                Some(bytes) if is_clear && blob.is_image && !blob.is_odd => self.image(bytes),
                Some(_) => self.opaque |= !(is_clear && blob.is_text),
            }
        }
    }

    /// Counts an inline image.
    fn image(&mut self, bytes: u64) {
        self.images += 1;
        self.image_bytes = self.image_bytes.saturating_add(bytes);
    }

    /// Counts an image by its URL, which may hold all of it.
    fn url(&mut self, text: Text<'_>) {
        let head: String = text.chars().take(MAX_URL_HEAD).collect();
        if head.starts_with("data:image/") && head.as_bytes().windows(8).any(|part| part == b";base64,") {
            self.image(text.0.len() as u64);
        } else {
            self.images += 1;
            self.opaque = true;
        }
    }
}
