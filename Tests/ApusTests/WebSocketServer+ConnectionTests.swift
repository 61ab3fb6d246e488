@testable import Apus
import HTTPTypes
import TestSupport
import Testing

/// The way of one connection: its opening handshake, and how its handler ends.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketServerConnectionTests {
    private struct Secret: Error, CustomStringConvertible {
        var description: String { "the password is swordfish" }
    }

    private static func answer(port: Int, _ lines: String..., target: String = "/") async throws -> Answer {
        try await onThread {
            let client = try Client(port: port)
            try client.sendHandshake(target, lines)
            let answer = try client.readAnswer()
            if answer.status != 101 { try client.expectEnd() }
            return answer
        }
    }

    @Test func `an opening handshake is answered as RFC 6455 §1.3 shows it`() async throws {
        let statistics = try await withServer { _, port in
            let answer = try await Self.answer(port: port)
            #expect(answer.lines.first == "HTTP/1.1 101 Switching Protocols")
            #expect(answer["Upgrade"] == "websocket")
            #expect(answer["Connection"] == "Upgrade")
            #expect(answer["Sec-WebSocket-Accept"] == Client.accept)
            #expect(answer["Sec-WebSocket-Protocol"] == nil)
            #expect(answer["Sec-WebSocket-Extensions"] == nil)
            #expect(answer["Content-Length"] == nil)
        }
        #expect(statistics.handshakesAccepted == 1)
    }

    @Test func `the handler knows the request, the peer, and the subprotocol`() async throws {
        let sockets = Box<WebSocket>()
        try await withServer(
            upgrade: { request in
                #expect(request.offeredSubprotocols == ["chat.v2", "chat.v1"])
                return .accept(subprotocol: "chat.v1", headerFields: [.setCookie: "a=1"])
            },
            handler: {
                #expect($0.eventLoop.isCurrent)
                sockets.put($0)
            }
        ) { _, port in
            let (answer, localPort) = try await onThread {
                let client = try Client(port: port)
                let answer = try client.open(
                    "/room?name=a%20b", ["Sec-WebSocket-Protocol: chat.v2 ,chat.v1", "X-Name: Zoë"])
                try client.readClose()
                return (answer, try client.localPort)
            }
            #expect(answer["Sec-WebSocket-Protocol"] == "chat.v1")
            #expect(answer["Set-Cookie"] == "a=1")
            let socket = try #require(await sockets.take())
            #expect(socket.subprotocol == "chat.v1")
            #expect(socket.request.method == .get)
            #expect(socket.request.path == "/room?name=a%20b")
            #expect(socket.request.authority == "localhost")
            #expect(socket.request.headerFields[HTTPField.Name("X-Name")!] == "Zoë")
            #expect(socket.remoteAddress.host == "127.0.0.1")
            #expect(socket.remoteAddress.port == localPort)
            #expect("\(socket.remoteAddress)" == "127.0.0.1:\(localPort)")
        }
    }

    @Test func `no two connections have the same number`() async throws {
        let numbers = Box<UInt64>()
        try await withServer(.with { $0.threads = 4 }) {
            numbers.put($0.id)
        } body: { _, port in
            try await onThread { for _ in 1...32 { try Client.webSocket(port: port).readClose() } }
            #expect(Set(await numbers.take(32)).count == 32)
        }
    }

    @Test func `frames that come with the opening handshake are not lost`() async throws {
        try await withServer { _, port in
            let texts = try await onThread {
                let client = try Client(port: port)
                let head =
                    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: \(Client.key)\r\nSec-WebSocket-Version: 13\r\n\r\n"
                try client.send(Array(head.utf8) + Frame.text("one").bytes + Frame.text("two").bytes.dropLast())
                guard try client.readAnswer().status == 101 else { throw Client.Failure.ended }
                let first = try client.readText()
                try client.send(Frame.text("two").bytes.suffix(1))
                return [first, try client.readText()]
            }
            #expect(texts == ["one", "two"])
        }
    }

    @Test func `an upgrade may name a handler of its own`() async throws {
        try await withServer(upgrade: { request in
            guard request.path == "/own" else { return .accept() }
            return .accept { socket in try await socket.send("its own") }
        }) { _, port in
            let text = try await onThread {
                let client = try Client.webSocket(port: port, "/own")
                defer { client.close() }
                let text = try client.readText()
                _ = try client.readClose()
                return text
            }
            #expect(text == "its own")
        }
    }

    @Test func `frames that come while the application decides are not lost`() async throws {
        let gate = Gate()
        try await withServer(upgrade: { _ in
            await gate.pass()
            return .accept()
        }) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendHandshake()
                try client.send(.text("one"), .text("two"))
                return client
            }
            try await until { server.statistics.requests == 1 }
            gate.open()
            let texts = try await onThread {
                guard try client.readAnswer().status == 101 else { throw Client.Failure.ended }
                return [try client.readText(), try client.readText()]
            }
            #expect(texts == ["one", "two"])
        }
    }

    @Test func `a head that comes byte by byte is one head`() async throws {
        try await withServer { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                let head =
                    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n"
                    + "Sec-WebSocket-Key: \(Client.key)\r\nSec-WebSocket-Version: 13\r\n\r\n"
                for byte in head.utf8 { try client.send([byte]) }
                let answer = try client.readAnswer()
                try client.closeNormally()
                return answer
            }
            #expect(answer["Sec-WebSocket-Accept"] == Client.accept)
        }
    }

    @Test func `a rejection is an HTTP response, and the end`() async throws {
        try await withServer(upgrade: { _ in
            .reject(
                Response(status: .unauthorized, headerFields: [.wwwAuthenticate: "Basic"], body: Array("who?".utf8)))
        }) { _, port in
            let answer = try await Self.answer(port: port)
            #expect(answer.status == 401)
            #expect(answer["WWW-Authenticate"] == "Basic")
            #expect(answer["Connection"] == "close")
            #expect(answer.text == "who?")
        }
    }

    /// What the application may not answer; the peer learns nothing of it but that it is our fault.
    static let faults: [(String, @Sendable (Request) throws -> UpgradeResponse)] = [
        ("an error", { _ in throw Secret() }),
        ("a subprotocol that was not offered", { _ in .accept(subprotocol: "chat.v3") }),
        ("a subprotocol in another case", { _ in .accept(subprotocol: "CHAT.v1") }),
        ("an empty subprotocol", { _ in .accept(subprotocol: "") }),
        ("a field with a line end", { _ in .accept(headerFields: [.location: "a\r\nSet-Cookie: b"]) }),
        ("a rejection with a line end", { _ in .reject(.init(status: .ok, headerFields: [.location: "a\nb"])) }),
    ]

    @Test(arguments: 0..<faults.count)
    func `what cannot be answered becomes a plain 500`(index: Int) async throws {
        let statistics = try await withServer(upgrade: { request in
            guard request.path == "/fault" else { return .accept() }
            return try Self.faults[index].1(request)
        }) { _, port in
            let answer = try await Self.answer(port: port, "Sec-WebSocket-Protocol: chat.v1", target: "/fault")
            // A line end in a field's value cannot come so far: HTTPTypes makes spaces of it.
            let isMended = Self.faults[index].0.hasSuffix("line end")
            if !isMended { #expect(answer.status == 500) }
            #expect(!answer.lines.contains { $0.hasPrefix("Set-Cookie") || $0.contains("swordfish") })
            #expect(!answer.text.contains("swordfish"))
            try await expectEcho(port: port)
        }
        #expect(statistics.connectionsNow == 0)
    }

    static let refusals: [(lines: [String], status: Int)] = [
        (["POST / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade"], 405),
        (["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 12"], 426),
        (["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade"], 426),
        (["GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Sec-WebSocket-Version: 13"], 400),
        (
            [
                "GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: short",
            ], 400
        ),
    ]

    @Test(arguments: 0..<refusals.count)
    func `an opening handshake that breaks RFC 6455 §4 is refused and counted`(index: Int) async throws {
        let refusal = Self.refusals[index]
        let statistics = try await withServer { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.send(refusal.lines.map { $0 + "\r\n" }.joined() + "\r\n")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == refusal.status)
            #expect(answer["Connection"]?.hasSuffix("close") == true)
            if refusal.status == 426 { #expect(answer["Sec-WebSocket-Version"] == "13") }
            if refusal.status == 405 { #expect(answer["Allow"] == "GET") }
            try await expectEcho(port: port)
        }
        #expect(statistics.handshakesRefused == 1)
        #expect(statistics.handshakesAccepted == 1)
    }

    @Test func `a handler that returns closes with 1000`() async throws {
        let statistics = try await withServer { _ in
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose() }
            #expect(code == 1000)
            try await expectHandshakes(port: port)
        }
        #expect(statistics.connectionsLost == 0)
    }

    @Test func `a handler that throws closes with 1011, and tells nothing`() async throws {
        try await withServer { socket in
            guard socket.request.path == "/" else { return try await echo(socket) }
            throw Secret()
        } body: { _, port in
            let close = try await onThread {
                let client = try Client.webSocket(port: port)
                return try client.readFrame()
            }
            #expect(close.closeCode == 1011)
            #expect(close.text == "")
            let echoed = try await onThread {
                let client = try Client.webSocket(port: port, "/echo")
                try client.send(.text("still here"))
                return try client.readText()
            }
            #expect(echoed == "still here")
        }
    }

    @Test func `what a handler sent before it returned arrives before the Close`() async throws {
        try await withServer { socket in
            for number in 0..<100 { try await socket.send("\(number)") }
            socket.trySend("last")
        } body: { _, port in
            let frames = try await onThread {
                let client = try Client.webSocket(port: port)
                return try (0...101).map { _ in try client.readFrame() }
            }
            #expect(frames.dropLast().map(\.text) == (0..<100).map { "\($0)" } + ["last"])
            #expect(frames.last?.closeCode == 1000)
        }
    }

    @Test func `a peer that does not answer a Close is dropped after the close timeout`() async throws {
        let statistics = try await withServer(.with { $0.closeTimeout = .milliseconds(100) }) { _ in
        } body: { _, port in
            let code = try await onThread { try Client.webSocket(port: port).readClose(answers: false) }
            #expect(code == 1000)
            try await expectHandshakes(port: port)
        }
        #expect(statistics.closeTimeouts == 1)
    }

    @Test func `a peer that floods instead of answering a Close is dropped all the same`() async throws {
        let statistics = try await withServer(.with { $0.closeTimeout = .milliseconds(200) }) { _ in
        } body: { _, port in
            await #expect(throws: Client.Failure.reset) {
                try await onThread {
                    let client = try Client.webSocket(port: port)
                    while true { try client.send(.text("not listening")) }
                }
            }
        }
        #expect(statistics.closeTimeouts == 1)
        #expect(statistics.messagesReceived == 0)
    }

    @Test func `a peer that keeps its end open after the closing handshake is dropped after the close timeout`()
        async throws
    {
        try await withServer(.with { $0.closeTimeout = .milliseconds(100) }) { server, port in
            let client = try await onThread {
                let client = try Client.webSocket(port: port)
                try client.closeNormally()
                return client
            }
            try await until { server.statistics.connectionsNow == 0 }
            client.close()
        }
    }

    /// The answer of a server whose handler throws something of its own, when the content has failed it.
    @Test func `an error of a handler's own is a 500, though the request's content was at fault, too`() async throws {
        try await withServer(http: { request in
            do { _ = try await request.body.collect(upTo: 100) } catch {
                throw WebSocketError(.timedOut, "of its own")
            }
            return .notFound
        }) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
                try client.send("x\r\n")
                return try client.readAnswer()
            }
            #expect(answer.status == 500)
        }
    }

    @Test(arguments: ["/", "/upgrade"])
    func `what a closure throws whose client has gone is no error in the log`(path: String) async throws {
        let log = MemoryLog()
        let server = try WebSocketServer(configuration: .with(), logger: log.logger)
        let (hasCome, hasGone) = (Gate(), Gate())
        let work: @Sendable () async throws -> Void = {
            hasCome.open()
            await hasGone.pass(evenIfCancelled: true)
            throw Secret()
        }
        try await withServer(
            server,
            upgrade: { _ in
                try await work()
                return .accept()
            },
            http: { _ in
                try await work()
                return .notFound
            }
        ) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                if path == "/" { try client.sendRequest() } else { try client.sendHandshake() }
                return client
            }
            await hasCome.pass()
            try await onThread { try client.reset() }
            try await until { server.statistics.connectionsNow == 0 }
            hasGone.open()
        }
        #expect(!log.lines.contains { $0.contains("threw") })
    }
}
