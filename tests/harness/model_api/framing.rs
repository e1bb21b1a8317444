//! The binary frames of AWS, and gzip without compression: both need the same checksum.

use super::reply::Piece;

/// A frame of `application/vnd.amazon.eventstream`: an event of this type, or an exception.
pub(super) fn frame(is_exception: bool, kind: &str, payload: &[u8]) -> Vec<u8> {
    let (message, name) =
        if is_exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let mut headers = Vec::new();
    for (name, value) in [(name, kind), (":content-type", "application/json"), (":message-type", message)] {
        headers.push(u8::try_from(name.len()).expect("a short name"));
        headers.extend(name.as_bytes());
        // A string, with its length in two bytes.
        headers.push(7);
        headers.extend(u16::try_from(value.len()).expect("a short value").to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let size = |bytes: usize| u32::try_from(bytes).expect("a short frame").to_be_bytes();
    let mut frame = Vec::new();
    frame.extend(size(16 + headers.len() + payload.len()));
    frame.extend(size(headers.len()));
    frame.extend(checksum(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(checksum(&frame).to_be_bytes());
    frame
}

/// CRC-32 as in gzip.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    !continued(u32::MAX, bytes)
}

fn continued(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

/// The pieces as one gzip stream: a stored block for each, so a reader can decode each as it arrives.
pub(super) fn compressed(pieces: Vec<Piece>) -> Vec<Piece> {
    let (mut sum, mut size) = (u32::MAX, 0_u32);
    let mut all = vec![Piece::of(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])];
    for piece in pieces {
        sum = continued(sum, &piece.bytes);
        size = size.wrapping_add(u32::try_from(piece.bytes.len()).expect("a short piece"));
        let blocks = piece.bytes.chunks(usize::from(u16::MAX)).flat_map(|block| stored(false, block));
        all.push(Piece { bytes: blocks.collect(), ..piece });
    }
    let mut end = stored(true, &[]);
    end.extend((!sum).to_le_bytes());
    end.extend(size.to_le_bytes());
    all.push(Piece::of(end));
    all
}

/// A block of deflate that isn't compressed.
fn stored(is_last: bool, bytes: &[u8]) -> Vec<u8> {
    let size = u16::try_from(bytes.len()).expect("a short block");
    let mut block = vec![u8::from(is_last)];
    block.extend(size.to_le_bytes());
    block.extend((!size).to_le_bytes());
    block.extend(bytes);
    block
}
