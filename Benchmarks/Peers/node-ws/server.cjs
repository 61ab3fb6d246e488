// An echo, or a broadcast, on Node.js and ws.
const { createServer } = require('node:http')
const { createServer: createSecureServer } = require('node:https')
const { readFileSync } = require('node:fs')
const { parseArgs } = require('node:util')
const { WebSocket, WebSocketServer } = require('ws')

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    mode: { type: 'string', default: 'echo' },
    compression: { type: 'string', default: 'off' },
    'tls-certificate': { type: 'string' },
    'tls-key': { type: 'string' },
  },
})
const certificate = values['tls-certificate']
const http = certificate
  ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(values['tls-key']) })
  : createServer()
const perMessageDeflate = values.compression === 'off' ? false : { threshold: 0 }
const server = new WebSocketServer({ server: http, perMessageDeflate, maxPayload: 64 << 20 })

server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate())
  socket.on('message', (data, binary) => {
    if (values.mode === 'echo') {
      socket.send(data, { binary })
      return
    }
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary })
    }
  })
})
http.listen(Number(values.port), '127.0.0.1', 4096, () => console.log(`listening on ${http.address().port}`))
