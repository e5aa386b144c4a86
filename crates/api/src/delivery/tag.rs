//! Entity tags: which answer a client has already. They are weak, because one answer is sent in several encodings.

use axum::http::{HeaderMap, HeaderValue, header};
use events::identity::Digest;

/// How many characters of the digest a tag has: enough that two answers never share one.
const TAG_CHARS: usize = 32;

/// The tag of an answer.
pub fn of(body: &[u8]) -> HeaderValue {
    let digest: String = Digest::of(&[body]).to_string().chars().take(TAG_CHARS).collect();
    HeaderValue::from_str(&format!("W/\"{digest}\"")).expect("a digest is hex")
}

/// Whether a request says that its client has the answer with this tag (RFC 9110 section 13.1.2, by weak comparison).
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let strong = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let Ok(tag) = tag.to_str().map(strong) else { return false };
    let said =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // No tag of ours holds a comma, so one that does is not ours whichever way it is cut.
    said.flat_map(|value| value.split(',')).any(|said| said.trim() == "*" || strong(said) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_every_way_it_may_be_said() {
        let tag = of(b"a");
        let plain = tag.to_str().unwrap().trim_start_matches("W/").to_owned();
        for said in [
            tag.to_str().unwrap().to_owned(),
            plain.clone(),
            "*".to_owned(),
            format!("\"a,b\", {plain}"),
            format!("W/\"x\",W/{plain}"),
        ] {
            let headers =
                [(header::IF_NONE_MATCH, said.parse().unwrap())].into_iter().collect::<HeaderMap>();
            assert!(is_known(&headers, &tag), "{said}");
            assert!(said == "*" || !is_known(&headers, &of(b"b")), "{said}");
        }
        assert!(!is_known(&HeaderMap::new(), &tag));
    }
}
