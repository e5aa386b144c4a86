//! What the figures were measured on, and how much memory this process used at most.

/// One line about the machine.
pub fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!(
        "Machine: {cores} cores, {}; load before the table {load}.",
        model.trim_start_matches(['\t', ':', ' '])
    )
}

/// The peak resident set of a process in MiB.
pub fn peak_mib(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 =
        line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}
