"""Writes the dashboards into a folder: python3 tools/dashboards FOLDER (`make dashboards`).

They are written in Python, with Grafana's own SDK (`make clients` installs it), because a dashboard's JSON is too long to be read or
reviewed. What must hold: the files in docs/monitoring/ are what this writes; a scenario compares them.
"""

import pathlib
import sys

import gates
import ledger
from grafana_foundation_sdk.cog.encoder import JSONEncoder

folder = pathlib.Path(sys.argv[1])
for name, board in [("gates", gates.DASHBOARD), ("ledger", ledger.DASHBOARD)]:
    text = JSONEncoder(sort_keys=True, indent=2).encode(board)
    (folder / f"{name}.json").write_text(text + "\n")
