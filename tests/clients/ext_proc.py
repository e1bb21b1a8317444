"""An external processor for Envoy, on PORT: it marks requests (`x-processed`) and passes all else on as it comes, in the mode that Envoy
asks for."""

import os
import signal
from concurrent import futures

import grpc
from envoy.extensions.filters.http.ext_proc.v3 import processing_mode_pb2 as modes
from envoy.service.ext_proc.v3 import external_processor_pb2 as messages
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as services

MARK = {"key": "x-processed", "raw_value": b"yes"}


class Processor(services.ExternalProcessorServicer):
    def Process(self, requests, _context):
        duplex = set()
        for request in requests:
            kind = request.WhichOneof("request")
            if request.HasField("protocol_config"):
                full = modes.ProcessingMode.FULL_DUPLEX_STREAMED
                duplex = {
                    name
                    for name, mode in (
                        ("request_body", request.protocol_config.request_body_mode),
                        ("response_body", request.protocol_config.response_body_mode),
                    )
                    if mode == full
                }
            common = messages.CommonResponse()
            if kind == "request_headers":
                common.header_mutation.set_headers.add(header=MARK)
            if kind in duplex:
                body = getattr(request, kind)
                streamed = common.body_mutation.streamed_response
                streamed.body = body.body
                streamed.end_of_stream = body.end_of_stream
            if kind.endswith("headers"):
                yield messages.ProcessingResponse(**{kind: messages.HeadersResponse(response=common)})
            elif kind.endswith("body"):
                yield messages.ProcessingResponse(**{kind: messages.BodyResponse(response=common)})
            else:
                yield messages.ProcessingResponse(**{kind: messages.TrailersResponse()})


options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)]
server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=options)
services.add_ExternalProcessorServicer_to_server(Processor(), server)
server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
server.start()
signal.pause()
