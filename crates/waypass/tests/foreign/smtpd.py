"""aiosmtpd, a mail server that others wrote. Prints its port, then what it is told, a line of JSON each: whom a mail is
for, and the mail. With a certificate and its key as arguments STARTTLS is offered and demanded, without them neither."""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    async def handle_RCPT(self, server, session, envelope, address, options):
        tell({"to": address, "encrypted": session.ssl is not None})
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        tell({"mail": envelope.content.decode()})
        return "250 kept"


def tell(what):
    print(json.dumps(what), flush=True)


async def main(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if files else None
    if context:
        context.load_cert_chain(*files)

    def conversation():
        return SMTP(Keep(), hostname="localhost", tls_context=context, require_starttls=bool(files))

    server = await asyncio.get_running_loop().create_server(conversation, "127.0.0.1", 0)
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


asyncio.run(main(sys.argv[1:]))
