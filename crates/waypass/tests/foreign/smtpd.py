"""aiosmtpd, a mail server that others wrote. Prints its port, then what it is told, a line of JSON each: whom a mail is
for, and the mail. With `starttls`, a certificate and its key as arguments STARTTLS is offered and demanded, with `tls`
nothing is said before TLS, without arguments neither."""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        tell({"to": address, "encrypted": server.transport.get_extra_info("sslcontext") is not None})
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        tell({"mail": envelope.content.decode()})
        return "250 kept"


def tell(what):
    print(json.dumps(what), flush=True)


async def main(how=None, *files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if how else None
    if context:
        context.load_cert_chain(*files)
    starttls = context if how == "starttls" else None

    def conversation():
        return SMTP(Keep(), hostname="localhost", tls_context=starttls, require_starttls=starttls is not None)

    tls = context if how == "tls" else None
    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0, ssl=tls)
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
