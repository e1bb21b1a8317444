"""One unary call of gRPC, as generated code would make it."""

import grpc
from said import GATE, KEY, classes, say

with grpc.insecure_channel(GATE.removeprefix("http://")) as channel:
    call = channel.unary_unary("/shop.Shop/Buy")
    try:
        call(b"", metadata=[("x-api-key", KEY)], timeout=20)
        say(error=None)
    except grpc.RpcError as why:
        say(error=classes(why), status=why.code().name, message=why.details(), trailers=dict(why.trailing_metadata()))
