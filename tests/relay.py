"""Pass TCP connections on: `python -m tests.relay LISTEN_HOST PORT [PORT …]`, to the same ports of
127.0.0.1. So servers that listen on loopback alone are reached from other network namespaces.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter


async def pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(host: str, port: int) -> None:
    async def accept(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pass_on(reader, ahead), pass_on(behind, writer))

    server = await asyncio.start_server(accept, host, port)
    async with server:
        await server.serve_forever()


async def main(host: str, *ports: str) -> None:
    await asyncio.gather(*(serve(host, int(port)) for port in ports))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
