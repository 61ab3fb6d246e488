#!/usr/bin/env python3
"""Measures what members of a chat room who never read cost: its memory before, with them, and after they have left.

    chat_silent.py PATH-TO-CHAT [--members 300] [--messages 300] [--characters 4000] [--most MB]

With --most it exits 1 if the memory has grown by more than so many megabytes, with the members or after they have left.
Linux only: reads /proc.
"""

import argparse
import asyncio
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import uuid

from websockets.asyncio.client import connect


def resident(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


async def until(socket, kind):
    """Reads until an event of the kind comes; a refusal ends the measurement."""
    while (event := json.loads(await socket.recv()))["type"] != kind:
        if event["type"] == "error":
            sys.exit(f"chat_silent: {event}")


async def start(url, room):
    """A member who has joined, and whose socket is not read from here on."""
    socket = await connect(url, max_queue=1, compression=None, ping_interval=None, close_timeout=1)
    for event in [{"type": "hello", "name": "silent", "changes": True}, {"type": "join", "room": room}]:
        await socket.send(json.dumps(event))
    await until(socket, "history")
    socket.transport.pause_reading()
    return socket


async def speak(url, room, messages, characters):
    async with connect(url, compression=None, max_size=None) as socket:
        await socket.send(json.dumps({"type": "hello", "name": "speaker", "changes": True}))
        for number in range(messages):
            text = f"{number} ".ljust(characters, "x")
            await socket.send(json.dumps({"type": "send", "room": room, "key": str(uuid.uuid4()), "text": text}))
            await until(socket, "sent")


async def measure(process, port, options):
    url = f"ws://127.0.0.1:{port}/chat"
    async with connect(url, compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "name": "maker", "changes": True}))
        # A room without members and messages does not last.
        await socket.send(json.dumps({"type": "create", "room": "silence"}))
        await socket.send(json.dumps({"type": "join", "room": "silence"}))
        await until(socket, "history")
        socket.transport.pause_reading()
        members = []
        for _ in range(options.members):
            members.append(await start(url, "silence"))
        before = resident(process)
        await speak(url, "silence", options.messages, options.characters)
        await asyncio.sleep(1)
        during = resident(process)
        for member in members:
            member.transport.abort()
        await asyncio.sleep(3)
        after = resident(process)
    print(f"{options.members} silent members, {options.messages} messages of {options.characters} characters: "
          f"{before:.0f} MB before, {during:.0f} MB with all unread, {after:.0f} MB after all have left")
    return max(during, after) - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chat")
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--characters", type=int, default=4_000)
    parser.add_argument("--most", type=float, default=math.inf)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [options.chat, "--port", "0", "--database", f"{folder}/chat.sqlite"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            port = int(re.search(r":(\d+)", process.stdout.readline().split("//")[1])[1])
            growth = asyncio.run(measure(process, port, options))
        finally:
            process.terminate()
            process.wait(30)
    return 0 if growth <= options.most else 1


if __name__ == "__main__":
    sys.exit(main())
