//! Cuts a stream into items: by lines, or by brackets.
//! It never holds more than one item, nor checks that one is JSON; it only knows where strings and brackets end.

use std::io::{self, BufRead};

/// An item's bytes, or why there are none.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Whole(Vec<u8>),
    TooLong,
    Cut,
}

/// A stream being cut.
pub struct Splitter<R> {
    input: R,
    bytes_max: usize,
    list: List,
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    None,
    Ahead,
    Inside,
    Over,
}

/// One item being gathered.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    has_begun: bool,
    depth: u64,
    in_string: bool,
    is_escaped: bool,
    is_too_long: bool,
}

impl<R: BufRead> Splitter<R> {
    pub fn new(input: R, bytes_max: usize, in_list: bool) -> Self {
        Self { input, bytes_max, list: if in_list { List::Ahead } else { List::None }, line: 1 }
    }

    /// The next line that is not blank, with its number.
    pub fn line(&mut self) -> io::Result<Option<(u64, Piece)>> {
        loop {
            let mut gathered = Gathered::default();
            let mut has_ended = false;
            while !has_ended {
                let chunk = self.input.fill_buf()?;
                if chunk.is_empty() {
                    break;
                }
                let length = chunk.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
                has_ended = length.is_some();
                let length = length.unwrap_or(chunk.len());
                gathered.add(chunk.get(..length).unwrap_or_default(), self.bytes_max);
                self.input.consume(length);
            }
            let line = self.line;
            self.line = self.line.saturating_add(1);
            if gathered.is_too_long || !gathered.bytes.trim_ascii().is_empty() {
                return Ok(Some((line, gathered.finish())));
            }
            if !has_ended {
                return Ok(None);
            }
        }
    }

    /// The next value, with the number of the line it begins on. In a list, the brackets and commas around values are passed over;
    /// what follows the list is not read.
    pub fn value(&mut self) -> io::Result<Option<(u64, Piece)>> {
        while let Some(byte) = self.peek()? {
            match byte {
                b']' if self.list == List::Inside => {
                    self.list = List::Over;
                    return Ok(None);
                }
                b'[' if self.list == List::Ahead => self.list = List::Inside,
                b',' if self.list == List::Inside => {}
                byte if byte.is_ascii_whitespace() => {}
                _ => return self.gather().map(Some),
            }
            self.pass(byte);
        }
        let is_cut = self.list == List::Inside;
        self.list = List::Over;
        Ok(is_cut.then_some((self.line, Piece::Cut)))
    }

    /// A value that begins here.
    fn gather(&mut self) -> io::Result<(u64, Piece)> {
        let line = self.line;
        let mut gathered = Gathered::default();
        while let Some(byte) = self.peek()? {
            if gathered.is_bare() && (byte.is_ascii_whitespace() || b",]".contains(&byte)) {
                return Ok((line, gathered.finish()));
            }
            self.pass(byte);
            if gathered.closes(byte, self.bytes_max) {
                return Ok((line, gathered.finish()));
            }
        }
        self.list = List::Over;
        Ok((line, Piece::Cut))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.list == List::Over { Ok(None) } else { Ok(self.input.fill_buf()?.first().copied()) }
    }

    fn pass(&mut self, byte: u8) {
        self.input.consume(1);
        self.line = self.line.saturating_add(u64::from(byte == b'\n'));
    }
}

impl Gathered {
    fn add(&mut self, bytes: &[u8], bytes_max: usize) {
        if self.bytes.len().saturating_add(bytes.len()) > bytes_max {
            self.is_too_long = true;
            self.bytes = Vec::new();
        }
        if !self.is_too_long {
            self.bytes.extend(bytes);
        }
    }

    /// Adds a byte; true when it closes the outermost bracket or string.
    fn closes(&mut self, byte: u8, bytes_max: usize) -> bool {
        self.add(&[byte], bytes_max);
        self.has_begun = true;
        if self.in_string {
            self.in_string = self.is_escaped || byte != b'"';
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            return !self.in_string && self.depth == 0;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Whether it is a number or a word so far, which ends where something else begins.
    fn is_bare(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.in_string
    }

    fn finish(self) -> Piece {
        if self.is_too_long { Piece::TooLong } else { Piece::Whole(self.bytes) }
    }
}
