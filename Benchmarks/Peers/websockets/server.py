"""An echo on websockets and uvloop."""

import argparse
import asyncio
import logging

import uvloop
import websockets
from websockets.asyncio.server import serve


async def echo(socket):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--compression", default="off")
    options = parser.parse_args()
    logging.disable()
    compression = None if options.compression == "off" else "deflate"
    async with serve(echo, "127.0.0.1", options.port, compression=compression, max_size=64 << 20,
                     backlog=4096) as server:
        print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


uvloop.run(main())
