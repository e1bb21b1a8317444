//! Forms as clients write them, and others that readers understand differently.

use super::*;
use proptest::prelude::*;

/// A form with these parts: what is behind `form-data`, more headers, and the value.
fn form(parts: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (parameters, more, value) in parts {
        let head = format!("--B\r\nContent-Disposition: form-data{parameters}\r\n{more}\r\n");
        body.extend([head.as_bytes(), value, b"\r\n"].concat());
    }
    body.extend(b"--B--\r\n");
    body
}

fn field(name: &str, value: &str) -> Vec<u8> {
    form(&[(&format!("; name=\"{name}\""), "", value.as_bytes())])
}

fn fields(body: &[u8]) -> Result<String, BodyError> {
    read(body, "B").map(|form| form.fields)
}

#[test]
fn a_content_type_has_one_boundary() {
    for (content_type, found) in [
        ("multipart/form-data; boundary=B", Some("B")),
        ("multipart/form-data;boundary=\"a b\"", None),
        ("Multipart/Form-Data; charset=utf-8; Boundary=\"B\"", Some("B")),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            Some("----WebKitFormBoundary7MA4YWxkTrZu0gW"),
        ),
        ("multipart/form-data; boundary=(a)+_,-./:=?'", Some("(a)+_,-./:=?'")),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=A; boundary=B", None),
        ("multipart/form-data; boundary=A; BOUNDARY=B", None),
        ("multipart/form-data; boundary*=utf-8''B", None),
        ("multipart/form-data; boundary*0=A; boundary=B", None),
        ("multipart/form-data; boundary=\"A", None),
        ("multipart/form-data; boundary=\"A\\\"B\"", None),
        ("multipart/form-data; boundary=A B", None),
        ("multipart/form-data boundary=A", None),
        ("multipart/mixed; boundary=B", None),
        ("application/json", None),
        ("application/json; x=multipart/form-data; boundary=B", None),
        ("", None),
    ] {
        assert_eq!(boundary(content_type.as_bytes()), found, "{content_type}");
    }
    let long = |many| format!("multipart/form-data; boundary={}", "a".repeat(many));
    assert_eq!([70, 71].map(|many| boundary(long(many).as_bytes()).is_some()), [true, false]);
    assert_eq!(boundary(b"multipart/form-data; boundary=\xff"), None);
}

#[test]
fn fields_are_found_wherever_they_are_and_files_are_skipped() {
    let audio = b"\r\n--A\r\n\xff\0{\"model\":\"x\"}\r\r\n-\r\n\r\nmodel".as_slice();
    let found = read(
        &form(&[
            ("; name=\"file\"; filename=\"a;b=\u{e9}.mp3\"", "Content-Type: audio/mpeg\r\n", audio),
            ("; name=\"model\"", "Content-Type: text/plain; charset=utf-8\r\n", b"whisper-1"),
            ("; name=n", "content-transfer-encoding: 8bit\r\n", b"2"),
            ("; name=\"stream\"", "", b"True"),
            ("; name=\"timestamp_granularities[]\"", "", b"word"),
            ("; name=\"timestamp_granularities[]\"", "", b"segment"),
            ("; name=\"prompt\"", "", "a \"b\"\r\n\\u0041 \u{e9}".as_bytes()),
            ("; filename*=utf-8''x.png; name=\"mask\"", "", b"12345"),
            ("; name=\"temperature\"", "", b"007"),
            ("; name=\"language\"", "", b""),
        ]),
        "B",
    )
    .unwrap();
    assert_eq!(
        found.fields,
        r#"{"file":null,"model":"whisper-1","n":2,"stream":"True","timestamp_granularities_":"word","timestamp_granularities_":"segment","prompt":"a \"b\"\r\n\\u0041 é","mask":null,"temperature":"007","language":""}"#
    );
    assert_eq!((found.files, found.file_bytes), (2, audio.len() as u64 + 5));
    assert_eq!(found.text_bytes, 9 + 1 + 4 + 4 + 7 + 16 + 3);
}

#[test]
fn a_long_value_is_left_out_and_one_that_is_no_text_refused() {
    let long = |many| fields(&field("prompt", &"a".repeat(many))).unwrap().len();
    assert_eq!((long(MAX_FIELD), long(MAX_FIELD + 1)), (MAX_FIELD + 13, 15));
    assert!(fields(&form(&[("; name=\"model\"", "", b"a\xff")])).is_err());
}

#[test]
fn a_form_about_which_readers_may_disagree_is_refused() {
    let usual = String::from_utf8(field("model", "a")).unwrap();
    assert!(fields(usual.as_bytes()).is_ok());
    for (old, new) in [
        // Where it begins and ends.
        ("--B\r\nC", "x\r\n--B\r\nC"),
        ("--B\r\nC", "\r\n--B\r\nC"),
        ("--B\r\nC", "--B \r\nC"),
        ("--B\r\nC", "--B\nC"),
        ("--B\r\nC", "--Bx\r\nC"),
        ("--B--\r\n", "--B--\r\n--B\r\n"),
        ("--B--\r\n", "--B--x"),
        ("--B--\r\n", "--B-"),
        ("--B--\r\n", "--B\r\n"),
        ("--B--\r\n", ""),
        ("\r\n--B--", "\n--B--"),
        // Headers.
        ("\r\n\r\na", "\r\na"),
        ("\r\n\r\na", "\n\r\n\r\na"),
        ("\r\n\r\na", "\r\nX: y\nz: a\r\n\r\na"),
        ("\r\n\r\na", "\r\n folded\r\n\r\na"),
        ("\r\n\r\na", "\r\nX\r\n\r\na"),
        ("\r\n\r\na", "\r\nContent-Transfer-Encoding: base64\r\n\r\na"),
        ("\r\n\r\na", "\r\ncontent-transfer-encoding: Quoted-Printable\r\n\r\na"),
        ("\r\n\r\na", "\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\na"),
        ("Content-Disposition:", "Content-Disposition :"),
        ("Content-Disposition:", "Disposition:"),
        ("form-data;", "attachment;"),
        ("form-data;", "form-data"),
        // The name.
        ("; name", "; nome"),
        ("\"model\"", "\"model"),
        ("\"model\"", "\"mo\\del\""),
        ("\"model\"", "\"model\"x"),
        ("; name", "; name=\"b\"; name"),
        ("; name", "; NAME=b; name"),
        ("; name", "; name*=utf-8''b; name"),
        ("; name", "; name*0=b; name"),
        ("; name", "; filename=\"a\\\"; name=\"b\"; name"),
        ("; name", "; x y=b; name"),
        ("; name=", "; name ="),
        ("; name", "; filename; name"),
    ] {
        let odd = usual.replacen(old, new, 1);
        assert_ne!(odd, usual, "{old}");
        assert!(
            matches!(fields(odd.as_bytes()), Err(BodyError::Form { .. })),
            "{odd:?}: {:?}",
            fields(odd.as_bytes())
        );
    }
    assert_eq!(fields(b""), Err(BodyError::Form { at: 0 }));
    assert_eq!(fields(b"--B--"), Ok("{}".to_owned()));
}

#[test]
fn parts_and_their_headers_are_bounded() {
    let part = ("; name=\"a\"", "", b"".as_slice());
    assert!(fields(&form(&vec![part; MAX_PARTS])).is_ok());
    assert!(matches!(fields(&form(&vec![part; MAX_PARTS + 1])), Err(BodyError::TooMuch { .. })));
    let long = format!("x: {}\r\n", "a".repeat(MAX_HEADERS));
    assert!(matches!(fields(&form(&[("; name=\"a\"", &long, b"")])), Err(BodyError::Form { .. })));
}

proptest! {
    #[test]
    fn what_was_written_is_read(values in prop::collection::vec(("[a-z]{1,9}", "(?s).{0,40}", any::<bool>()), 0..9)) {
        prop_assume!(values.iter().all(|(_, value, _)| !value.contains("\r\n--B")));
        let parts: Vec<_> = values.iter().map(|(name, value, file)| {
            (format!("; name=\"{name}\"{}", if *file { "; filename=\"f\"" } else { "" }), value.as_bytes())
        }).collect();
        let parts: Vec<_> = parts.iter().map(|(parameters, value)| (parameters.as_str(), "", *value)).collect();
        let found = read(&form(&parts), "B").unwrap();
        let text = serde_json::from_str::<serde_json::Value>(&found.fields).map(|_| found.fields.clone());
        let files = values.iter().filter(|(.., file)| *file);
        prop_assert_eq!(found.file_bytes, files.map(|(_, value, _)| value.len() as u64).sum::<u64>());
        let expected: Vec<_> = values.iter().map(|(name, value, file)| {
            format!("{}:{}", quoted(name), if *file { "null".to_owned() } else { literal(value) })
        }).collect();
        prop_assert_eq!(text.unwrap(), format!("{{{}}}", expected.join(",")));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop_oneof![
        prop::sample::select(vec!["--B", "\r\n", "\r", "\n", "--", "Content-Disposition: form-data", "; name=\"", "model", "\"", ":", ";", "=", "\\", "x"])
            .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..9),
    ], 0..40)) {
        let body = pieces.concat();
        let _ = read(&body, "B");
        let _ = boundary(&body);
        for mark in [b"\r\n--B".as_slice(), b"\r\n\r\n"] {
            let plain = body.windows(mark.len()).position(|window| window == mark);
            prop_assert_eq!(find(&body, mark), plain);
        }
    }
}
