"""A receiver of OTLP over HTTP that reads with OpenTelemetry's published protobuf, and does as a file says.

It listens on PORT, with TLS if CERT and KEY are set. Each log record that it takes becomes a line of JSON in RECORDS, each metric one in
METRICS, and each request one in REQUESTS, whatever came of it. The file BEHAVIOUR says what it does, by the words in it:

busy        503 with retry-after: 1      slow       no answer
limit       429                          lying      100 MB of garbage with status 200
refuse      400 with a message           redirect   307
partial     rejects the first record     hangup     reads, and closes the connection
"""

import gzip
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

LOCK = threading.Lock()


def behaviour():
    try:
        with open(os.environ["BEHAVIOUR"], encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def note(variable, lines):
    with LOCK, open(os.environ[variable], "a", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))


def attributes(pairs):
    found = {}
    for pair in pairs:
        assert pair.key not in found, f"{pair.key} is there twice"
        found[pair.key] = getattr(pair.value, pair.value.WhichOneof("value"))
    return found


def records(request):
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield {
                    "resource": attributes(resource.resource.attributes),
                    "scope": scope.scope.name,
                    "time": record.time_unix_nano,
                    "observed": record.observed_time_unix_nano,
                    "severity": record.severity_number,
                    "severity_text": record.severity_text,
                    "event": record.event_name,
                    "body": record.body.string_value,
                    "attributes": attributes(record.attributes),
                }


def metrics(request):
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                points = []
                for point in getattr(metric, kind).data_points:
                    value = point.sum if kind == "histogram" else getattr(point, point.WhichOneof("value"))
                    points.append({"attributes": attributes(point.attributes), "value": value})
                yield {
                    "resource": attributes(resource.resource.attributes),
                    "scope": scope.scope.name,
                    "name": metric.name,
                    "unit": metric.unit,
                    "kind": kind,
                    "points": points,
                    "whole": MessageToDict(metric),
                }


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw
        is_logs = self.path.endswith("/v1/logs")
        request = (ExportLogsServiceRequest if is_logs else ExportMetricsServiceRequest).FromString(body)
        found = list((records if is_logs else metrics)(request))
        how = behaviour()
        seen = {
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "count": len(found),
            "bytes": len(body),
            "connection": self.client_address[1],
            "how": how,
            "at": time.time(),
        }
        note("REQUESTS", [seen])
        if "slow" in how:
            time.sleep(3600)
        if "hangup" in how:
            self.close_connection = True
            return
        if "busy" in how:
            self.answer(503, headers=[("retry-after", "1")])
            return
        if "limit" in how:
            self.answer(429)
            return
        if "refuse" in how:
            self.answer(400, Status(code=3, message="no such\nthing").SerializeToString())
            return
        if "redirect" in how:
            self.answer(307, headers=[("location", "/elsewhere")])
            return
        if "lying" in how:
            self.send_response(200)
            self.send_header("content-length", "100000000")
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(b"\xff" * 100_000)
            return
        answer = (ExportLogsServiceResponse if is_logs else ExportMetricsServiceResponse)()
        if "partial" in how and is_logs:
            answer.partial_success.rejected_log_records = 1
            answer.partial_success.error_message = "the first one is too old"
            found = found[1:]
        note("RECORDS" if is_logs else "METRICS", found)
        self.answer(200, answer.SerializeToString())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A client that hangs up on an answer without an end is right to.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


server = Server(("127.0.0.1", int(os.environ["PORT"])), Receiver)
if "CERT" in os.environ:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
