"use strict";
// The scenarios of test_node_ws.py: `node node_ws.cjs SCENARIO URL` exits 0 if the server did as it should.
const assert = require("assert");
const { once } = require("events");
const WebSocket = require("ws");

const [scenario, url] = process.argv.slice(2);
const large = 16 << 20;

async function open(protocols, options) {
  const socket = new WebSocket(url, protocols, options);
  await once(socket, "open");
  return socket;
}

async function echo(socket, message, options) {
  socket.send(message, options);
  const [data, isBinary] = await once(socket, "message");
  assert.strictEqual(isBinary, typeof message !== "string");
  return isBinary ? data : data.toString();
}

async function closing(socket) {
  const [code, reason] = await once(socket, "close");
  return [code, reason.toString()];
}

const scenarios = {
  async text() {
    const socket = await open();
    for (const message of ["", "hello", "naïve — 你好 😀", "x".repeat(70000)])
      assert.strictEqual(await echo(socket, message), message);
  },

  async binary() {
    const socket = await open();
    for (const size of [0, 125, 126, 65535, 65536]) {
      const data = Buffer.alloc(size, 0xff);
      assert(data.equals(await echo(socket, data)));
    }
  },

  async large() {
    const socket = await open([], { maxPayload: 2 * large });
    const data = Buffer.alloc(large, "0123456789");
    assert(data.equals(await echo(socket, data)));
    const text = "€".repeat(large / 4);
    assert.strictEqual(await echo(socket, text), text);
  },

  async fragments() {
    const socket = await open();
    socket.send("one, ", { fin: false });
    socket.send("two, ", { fin: false });
    assert.strictEqual(await echo(socket, "three", { fin: true }), "one, two, three");
  },

  async ping() {
    const socket = await open();
    socket.ping("payload");
    const [data] = await once(socket, "pong");
    assert.strictEqual(data.toString(), "payload");
  },

  async order() {
    const socket = await open();
    const received = [];
    const all = new Promise((resolve) => socket.on("message", (data) => {
      if (received.push(Number(data)) === 10000)
        resolve();
    }));
    for (let index = 0; index < 10000; index++)
      socket.send(`${index}`);
    await all;
    assert(received.every((number, index) => number === index));
  },

  async compression() {
    const socket = await open([], { perMessageDeflate: true });
    assert.strictEqual(socket.extensions, "");
    assert.strictEqual(await echo(socket, "plain"), "plain");
  },

  async close() {
    const socket = await open();
    socket.close(4003, "done with it");
    assert.strictEqual((await closing(socket))[0], 4003);
  },

  async "close-1002"() {
    const socket = await open();
    socket._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0])); // an opcode that nobody defined
    assert.strictEqual((await closing(socket))[0], 1002);
  },

  async origin() {
    const socket = new WebSocket(url, { origin: "http://evil.example" });
    socket.on("open", () => socket.emit("error", new Error("the handshake was accepted")));
    const [, response] = await once(socket, "unexpected-response");
    assert.strictEqual(response.statusCode, 403);
    response.destroy();
  },

  async subprotocol() {
    // ws gives up where its subprotocols are not among the answer's, as RFC 6455 §4.1 lets a client do.
    const socket = new WebSocket(url, ["chat"]);
    socket.on("open", () => socket.emit("error", new Error("the handshake was accepted")));
    const [error] = await once(socket, "error");
    assert.match(error.message, /no subprotocol/);
  },

  async broadcast() {
    const sockets = [];
    for (let number = 0; number < 5; number++) {
      sockets.push(await open());
      await echo(sockets[number], "hello"); // it takes part once it has heard itself
    }
    const heard = sockets.map((socket) => new Promise((resolve) => {
      const words = [];
      socket.on("message", (data) => {
        if (data.toString() !== "hello" && words.push(data.toString()) === 50)
          resolve(words);
      });
    }));
    for (let index = 0; index < 50; index++)
      sockets[index % sockets.length].send(`${index}`);
    const orders = await Promise.all(heard);
    orders.forEach((order) => assert.deepStrictEqual(order, orders[0]));
    assert.strictEqual(new Set(orders[0]).size, 50);
  },
};

const watchdog = setTimeout(() => {
  console.error(`${scenario} hangs`);
  process.exit(3);
}, 60000);

scenarios[scenario]().then(() => {
  clearTimeout(watchdog);
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
