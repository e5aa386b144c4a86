//! Captures of a real gateway, where `NAAP_CAPTURES` names a folder that has them; they are no part of the repository.

use std::io::Write;
use std::path::PathBuf;

use super::process::{Running, done, text};

#[test]
fn captures_of_a_real_gateway_give_one_session() {
    let Some(captures) = std::env::var_os("NAAP_CAPTURES").map(PathBuf::from) else {
        writeln!(
            std::io::stderr(),
            "!!! SKIPPED, NOT TESTED: NAAP_CAPTURES names no folder of captures"
        )
        .unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let files = [
        "gateway-events-2026-01-08.json",
        "network-capabilities-live-video.json",
        "network-capabilities-batch-byoc.json",
    ]
    .map(|name| captures.join(name));
    let mut arguments = vec!["import", "--data", text(&data), "--at", "2026-01-08T21:50:00Z"];
    arguments.extend(files.iter().map(|file| text(file)));
    let said = done(&arguments);
    assert!(said.contains("67 envelopes read") && said.contains("nothing was refused"), "{said}");
    assert!(said.contains("livepeer 2026-01-08T21Z settled as revision 0"), "{said}");

    let out = folder.path().join("hour");
    done(&["export", "--data", text(&data), "--window", "2026-01-08T21Z", "--out", text(&out)]);
    done(&["verify", text(&out)]);

    let running = Running::start("dev", &data, &["--no-simulate"]);
    let (status, jobs) = running.get("/v1/jobs");
    assert_eq!((status, jobs["items"].as_array().unwrap().len()), (200, 1), "{jobs}");
    let job = &jobs["items"][0];
    assert_eq!(job["work"]["workload"], "live-video");
    assert_eq!(job["work"]["model"], "streamdiffusion-sdxl-faceid");
    let (_, detail) = running.get(&format!("/v1/jobs/{}", job["job_id"].as_str().unwrap()));
    let tenures = detail["hours"][0]["tenures"].as_array().unwrap();
    assert_eq!(tenures.len(), 1, "{detail}");
    let tenure = &tenures[0];
    assert_eq!(tenure["operator"], "0xd00354656922168815fcd1e51cbddb9e359e3c7f");
    assert_eq!(tenure["seen_as"]["signer"], "0x52cf2968b3dc6016778742d3539449a6597d5954");
    assert!(
        tenure["first_output_ms"].is_u64() && tenure["output_ms"].is_u64(),
        "started and playable: {tenure}"
    );
    assert!(tenure["end_ms"].is_null(), "open-ended: {tenure}");
    for side in ["fps_in_milli_fps", "fps_out_milli_fps"] {
        let fps = tenure[side].as_u64().unwrap();
        assert!((15_500..18_500).contains(&fps), "{side}: {fps}");
    }
    running.stop();
}
