"""An echo on picows and uvloop."""

import argparse
import asyncio

import picows
import uvloop


class Echo(picows.WSListener):
    """Sends every message back."""

    def on_ws_connected(self, transport):
        self.parts = []

    def on_ws_frame(self, transport, frame):
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY):
            # Every WebSocket server has to check that text is UTF-8; this library leaves it to its user.
            if frame.msg_type == picows.WSMsgType.TEXT:
                frame.get_payload_as_utf8_text()
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = await picows.ws_create_server(lambda _: Echo(), "127.0.0.1", options.port, max_frame_size=64 << 20,
                                           backlog=4096)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


uvloop.run(main())
