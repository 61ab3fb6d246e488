"""The events `message` and `broadcast`, back to the sender or to all, on python-socketio, uvicorn and uvloop."""

import argparse
import socket

import socketio
import uvicorn

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
options = parser.parse_args()

# No pings: who counts wants none.
io = socketio.AsyncServer(async_mode="asgi", ping_interval=3600)


@io.event
async def message(sid, text):
    await io.emit("message", text, to=sid)


@io.event
async def broadcast(_, text):
    await io.emit("broadcast", text)


listening = socket.create_server(("127.0.0.1", options.port), backlog=4096)
print(f"listening on {listening.getsockname()[1]}", flush=True)
config = uvicorn.Config(socketio.ASGIApp(io), loop="uvloop", log_level="warning", lifespan="off")
uvicorn.Server(config).run(sockets=[listening])
