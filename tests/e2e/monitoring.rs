//! What operators put into Prometheus and Grafana, `docs/monitoring/`: the dashboards are what their sources write, every alert fires
//! when it should, links to what to do, and is silent otherwise; and all that they name is there in a real ledger and a real Envoy.

mod expressions;
mod live;
mod rules;

use crate::docs::page;
use harness::Clients;
use serde_json::Value;
use std::path::Path;

/// The dashboards, by the names of their files.
const DASHBOARDS: [&str; 2] = ["gates", "ledger"];

/// A dashboard.
fn dashboard(name: &str) -> Value {
    serde_json::from_str(&page(&format!("docs/monitoring/{name}.json"))).expect("JSON")
}

#[test]
fn the_committed_dashboards_are_what_their_sources_write() {
    let Some(clients) = Clients::installed() else { return };
    let sources = harness::project().join("tools/dashboards");
    let sources = sources.to_str().expect("a path");
    let (done, said) = clients.program("python3", &[sources, "."], &[]);
    assert!(done, "{said}");
    for name in DASHBOARDS {
        let written =
            std::fs::read_to_string(clients.dir().join(format!("{name}.json"))).expect("a dashboard");
        let committed = page(&format!("docs/monitoring/{name}.json"));
        assert!(
            written == committed,
            "{name}.json isn't what tools/dashboards writes: run `make dashboards`"
        );
    }
}

#[test]
fn every_panel_has_a_title_a_description_and_a_place_of_its_own() {
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        let panels = dashboard["panels"].as_array().expect("panels");
        let mut places = std::collections::BTreeSet::new();
        for panel in panels {
            let text = |member: &str| panel[member].as_str().is_some_and(|text| !text.is_empty());
            assert!(text("title"), "{name}: {panel}");
            assert!(panel["type"] == "row" || text("description"), "{name}: {panel}");
            let place = &panel["gridPos"];
            let (x, w) = (place["x"].as_u64().expect("a column"), place["w"].as_u64().expect("a width"));
            assert!(x + w <= 24, "{name}: {panel}");
            assert!(places.insert((place["y"].as_u64(), x)), "{name}: two panels in one place: {panel}");
            assert!(panel["id"].as_u64().is_some_and(|id| id > 0), "{name}: {panel}");
        }
    }
}

#[test]
fn the_page_lists_every_file_for_prometheus_and_grafana() {
    let text = page("docs/monitoring.md");
    for entry in std::fs::read_dir(harness::project().join("docs/monitoring")).expect("a folder") {
        let path = entry.expect("a file").path();
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).expect("a name");
        assert!(text.contains(&format!("[`{name}`](monitoring/{name})")), "{name}");
        assert!(Path::new(&path).is_file(), "{name}");
    }
}
