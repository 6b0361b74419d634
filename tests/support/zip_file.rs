//! Makes zip files as somebody would by hand: with any name, any mode and any field.

use std::{io::Cursor, io::Read};

/// An entry.
#[derive(Clone)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its `st_mode`.
    pub mode: u32,
    /// What stands in it.
    pub content: Vec<u8>,
    /// The fields of its own header.
    pub fields: Vec<u8>,
}

impl Entry {
    /// One without fields.
    pub fn new(name: &[u8], mode: u32, content: &[u8]) -> Self {
        Self { name: name.to_vec(), mode, content: content.to_vec(), fields: Vec::new() }
    }
}

/// A zip file as the format's first version has it, without checking any name. Layout after PKWARE's APPNOTE.TXT.
pub fn zip(entries: &[Entry], comment: &[u8]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for Entry { name, mode, content, fields } in entries {
        let size = (content.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0x58];
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend([size, size].concat());
        common.extend((name.len() as u16).to_le_bytes());
        let offset = (bytes.len() as u32).to_le_bytes();
        let length = (fields.len() as u16).to_le_bytes();
        bytes.extend([b"PK\x03\x04", &common[..], &length, name, fields, content].concat());
        let tail = [&[0; 8][..], &(mode << 16).to_le_bytes(), &offset, name].concat();
        directory.extend([b"PK\x01\x02\x14\x03", &common[..], &tail].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes());
    let length = (comment.len() as u16).to_le_bytes();
    bytes.extend(directory);
    bytes.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &length, comment].concat());
    bytes
}

/// The entries of a zip file, and its comment.
pub fn read(bytes: &[u8]) -> (Vec<Entry>, Vec<u8>) {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let comment = archive.comment().to_vec();
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = &bytes[usize::try_from(entry.header_start()).unwrap()..];
        let length = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let (name, fields) = (length(26), length(28));
        entries.push(Entry {
            name: header[30..30 + name].to_vec(),
            mode: entry.unix_mode().unwrap(),
            content,
            fields: header[30 + name..30 + name + fields].to_vec(),
        });
    }
    (entries, comment)
}
