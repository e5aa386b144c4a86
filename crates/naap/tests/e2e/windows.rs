//! Windows of several hours: exported, verified from files and over HTTP, deep ones too, and no file of them can change
//! unseen.

use std::path::Path;

use serde_json::Value;

use super::process::{Running, done, run, text};
use super::world::{THEN, as_export, envelopes};

/// A folder with two imported hours; gives the newest.
fn imported(folder: &Path) -> String {
    let capture = folder.join("capture.json");
    std::fs::write(&capture, as_export(&envelopes(7, THEN, 70))).unwrap();
    let data = folder.join("data");
    let said = done(&["import", "--data", text(&data), text(&capture)]);
    let settled = said.lines().filter(|line| line.contains(" settled as revision 0"));
    settled.map(|line| line.split(' ').nth(1).unwrap().to_owned()).max().unwrap()
}

fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["verify"], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_day_verifies_from_its_folder_and_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let hour = imported(folder.path());
    let (data, out) = (folder.path().join("data"), folder.path().join("day"));
    let window = format!("{hour}/24h");
    let export = |more: &[&str]| {
        let arguments = ["export", "--data", text(&data), "--out", text(&out)];
        run(&[&arguments[..], more].concat())
    };
    assert!(!export(&["--window", &hour, "--deep"]).status.success(), "an hour has no hours");
    assert!(!export(&["--window", &window, "--revision", "1"]).status.success());
    let exported = export(&["--window", &window, "--deep"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));

    let (code, said) = verify(&[text(&out)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with(&format!("{window} agrees: digest ")), "{said}");
    let (code, said) = verify(&["--deep", text(&out)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("each made again from its events"), "{said}");
    let (code, _) = verify(&["--deep", text(&out.join("hours").join(&hour))]);
    assert_eq!(code, Some(2), "an hour has no hours");

    let running = Running::start("dev", &data, &["--no-simulate"]);
    let (_, detail) = running.get(&format!("/v1/windows/{hour}%2F24h"));
    let scorecard = std::fs::read(out.join("scorecard.json")).unwrap();
    assert_eq!(detail["scorecard"], serde_json::from_slice::<Value>(&scorecard).unwrap());
    assert!(running.get(&format!("/v1/scores?window={window}")).1["items"].is_array());
    for name in [format!("{hour}%2F24h"), window.clone()] {
        let url = format!("http://{}/v1/exports/{name}", running.at("api"));
        for deep in [&["--loopback", &url][..], &["--loopback", "--deep", &url]] {
            let (code, said) = verify(deep);
            assert_eq!(code, Some(0), "{said}");
        }
    }
    let absent = format!("http://{}/v1/exports/{hour}%2F7d?revision=1", running.at("api"));
    assert_eq!(verify(&["--loopback", &absent]).0, Some(2));
    running.stop();

    let files: Vec<_> =
        std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 8, "{files:?}");
    for path in files.iter().filter(|path| path.is_file()) {
        let original = std::fs::read(path).unwrap();
        for at in [0, original.len() / 2, original.len() - 1] {
            let mut touched = original.clone();
            touched[at] ^= 1;
            std::fs::write(path, touched).unwrap();
            let (code, said) = verify(&[text(&out)]);
            assert!(matches!(code, Some(1 | 2)), "{} byte {at}: {said}", path.display());
        }
        std::fs::write(path, original).unwrap();
    }
    // Only who looks at the hours notices that one of them cannot be made again.
    let batches = out.join("hours").join(&hour).join("batches.ndjson");
    let lines = std::fs::read_to_string(&batches).unwrap();
    let fewer = lines.split_inclusive('\n').skip(1).collect::<String>();
    std::fs::write(&batches, fewer).unwrap();
    assert_eq!(verify(&[text(&out)]).0, Some(0));
    let (code, said) = verify(&["--deep", text(&out)]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&hour), "{said}");
}
