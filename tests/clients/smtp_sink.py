"""A mail server that does as a file says, and writes each mail that it takes as a line of JSON into MAILS.

It listens on PORT: with TLS from the first byte if IMPLICIT is set, and otherwise with STARTTLS if CERT and KEY are. The file BEHAVIOUR
says what it does, by the words in it:

down        hangs up at once          slow       answers nothing after the greeting
refuse      550 for each address      busy       451 for each address
sender      550 for each sender       hostile    a greeting without an end
nologin     535 for each user
"""

import asyncio
import email
import email.policy
import json
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def behaviour():
    try:
        with open(os.environ["BEHAVIOUR"], encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if "slow" in behaviour():
            await asyncio.sleep(3600)
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if "sender" in behaviour():
            return "550 5.7.1 not from you"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "refuse" in behaviour() or address.startswith("gone"):
            return "550 5.1.1 no such user here"
        if "busy" in behaviour():
            return "451 4.3.0 come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        said = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or "IMPLICIT" in os.environ,
            "user": getattr(session, "user", None),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "names": [name.lower() for name in mail.keys()],
            "body": mail.get_content(),
            "defects": [repr(defect) for defect in mail.defects],
        }
        with open(os.environ["MAILS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    if "nologin" in behaviour() or not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    good = data.password.decode() == os.environ.get("PASSWORD")
    session.user = data.login.decode() if good else None
    return AuthResult(success=good, handled=False)


class Sink(SMTP):
    def connection_made(self, transport):
        if "down" in behaviour():
            transport.abort()
            return
        if "hostile" in behaviour():
            transport.write(b"220-" + b"x" * 100_000_000)
            return
        super().connection_made(transport)


async def serve():
    context = None
    if "CERT" in os.environ:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    implicit = "IMPLICIT" in os.environ
    starttls = None if implicit else context
    with_user = "PASSWORD" in os.environ

    def protocol():
        return Sink(
            Handler(),
            hostname="sink",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=authenticate,
            auth_required=with_user,
            auth_require_tls=False,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        protocol, "127.0.0.1", int(os.environ["PORT"]), ssl=context if implicit else None
    )
    async with server:
        await server.serve_forever()


asyncio.run(serve())
