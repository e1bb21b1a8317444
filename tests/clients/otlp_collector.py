"""A collector: Rotel, which takes OTLP over HTTP on PORT and passes it on, by OTLP over HTTP, to TO."""

import os
import pathlib

import rotel

program = pathlib.Path(rotel.__file__).parent / "rotel-agent"
options = {
    "--otlp-http-endpoint": f"127.0.0.1:{os.environ['PORT']}",
    "--otlp-grpc-endpoint": f"127.0.0.1:{os.environ['GRPC_PORT']}",
    "--exporter": "otlp",
    "--otlp-exporter-protocol": "http",
    "--otlp-exporter-endpoint": os.environ["TO"],
}
arguments = [argument for pair in options.items() for argument in pair]
os.execv(program, [str(program), "start", *arguments])
