@testable import Apus
import HTTPTypes
import TestSupport
import Testing

/// A client against servers and proxies that say what they like.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ClientOpeningTests {
    // MARK: Connecting

    @Test func `a port where nobody listens is told`() async throws {
        let error = await failure(port: try RawServer.closedPort())
        #expect(error?.code == .cannotConnect)
        #expect(error?.message.contains("onnection refused") == true)
    }

    @Test func `a host that takes no connection ends with the timeout`() async throws {
        let silent = try RawServer.blackHole()
        let error = await failure(port: silent.port) { $0.connectTimeout = .milliseconds(50) }
        #expect(error?.code == .timedOut)
        withExtendedLifetime(silent) {}
    }

    @Test func `a task that is cancelled while it connects gives up`() async throws {
        let silent = try RawServer.blackHole()
        let task = Task { await failure(port: silent.port) }
        task.cancel()
        #expect(await task.value?.code == .cancelled)
        withExtendedLifetime(silent) {}
    }

    @Test func `a host without an address is told`() async throws {
        let host = String(repeating: "a", count: 64)
        do {
            try await WebSocketClient.connect("ws://\(host).invalid") { _ in }
            Issue.record("it connected")
        } catch {
            #expect(error.webSocketCode == .cannotConnect)
            #expect("\(error)".contains("cannot find the address"))
        }
    }

    // MARK: The answer

    struct Answer: CustomTestStringConvertible, Sendable {
        let name: String
        let code: WebSocketError.Code
        /// Whether the script ends with the socket closed.
        var isLast = false
        let script: ServerScript
        var testDescription: String { name }
    }

    static let answers = [
        Answer(name: "a wrong Sec-WebSocket-Accept", code: .handshakeFailed) { client in
            _ = try client.readRequest()
            try client.sendHead(
                "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Accept: \(Client.accept)")
        },
        Answer(name: "no Upgrade", code: .handshakeFailed) { client in
            let request = try client.readRequest()
            try client.sendHead(
                "HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Sec-WebSocket-Accept: \(request.accept)")
        },
        Answer(name: "an extension that was not offered", code: .handshakeFailed) {
            try $0.acceptHandshake("Sec-WebSocket-Extensions: permessage-bzip2")
        },
        Answer(name: "a subprotocol that was not offered", code: .handshakeFailed) {
            try $0.acceptHandshake("Sec-WebSocket-Protocol: chat")
        },
        Answer(name: "garbage", code: .handshakeFailed) { client in
            _ = try client.readRequest()
            try client.send("\u{0}\u{1}not HTTP\r\n\r\n")
        },
        Answer(name: "a frame at once", code: .handshakeFailed) { client in
            _ = try client.readRequest()
            try client.send([0x81, 0x01, 0x61])
        },
        Answer(name: "a head without end", code: .handshakeFailed) { client in
            _ = try client.readRequest()
            let field = Array("A: \(String(repeating: "b", count: 1000))\r\n".utf8)
            try client.send(Array("HTTP/1.1 101 Switching Protocols\r\n".utf8) + (0..<40).flatMap { _ in field })
        },
        Answer(name: "HTTP/1.0", code: .handshakeFailed) { client in
            let request = try client.readRequest()
            try client.sendHead(
                "HTTP/1.0 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Accept: \(request.accept)")
        },
        Answer(name: "endless answers 1xx", code: .handshakeFailed) { client in
            _ = try client.readRequest()
            for _ in 0..<20 { try client.sendHead("HTTP/1.1 100 Continue") }
        },
        Answer(name: "the end of the stream", code: .connectionLost) { client in
            _ = try client.readRequest()
            client.finish()
        },
        Answer(name: "the end within the head", code: .connectionLost) { client in
            _ = try client.readRequest()
            try client.send("HTTP/1.1 101 Switching")
            client.finish()
            try client.expectEnd()
        },
        Answer(name: "a reset", code: .connectionLost, isLast: true) { client in
            _ = try client.readRequest()
            try client.reset()
        },
        Answer(name: "no answer", code: .timedOut) { client in
            _ = try client.readRequest()
            try client.send("HTTP/1.1 101 Swi")
            try client.expectEnd()
        },
    ]

    @Test(arguments: answers) func `an answer that is not what RFC 6455 §4_1 asks for fails`(_ answer: Answer)
        async throws
    {
        try await withRawServer { client in
            do {
                try answer.script(client)
                if !answer.isLast { _ = try client.readToEnd() }
            } catch Client.Failure.reset {}  // the client has left before it had read all
        } body: { port in
            let error = await failure(port: port) {
                if answer.code == .timedOut { $0.handshakeTimeout = .milliseconds(100) }
            }
            #expect(error?.code == answer.code)
        }
    }

    @Test func `an answer may come byte by byte, with others before it, and frames behind it`() async throws {
        try await withRawServer { client in
            let request = try client.readRequest()
            try client.sendHead("HTTP/1.1 100 Continue")
            try client.sendHead("HTTP/1.1 103 Early Hints", "Link: </a>")
            let answer = [
                "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Accept: \(request.accept)", "", "",
            ].joined(separator: "\r\n")
            var bytes = Array(answer.utf8)
            for text in ["one", "two"] { bytes += Frame(Frame.Opcode.text, text.utf8, key: nil).bytes }
            for byte in bytes.dropLast(8) { try client.send([byte]) }
            try client.send(bytes.suffix(8))
            #expect(try client.answerClose() == 1000)
        } body: { port in
            try await connect(port: port) { socket in
                try await socket.expectNext(.text("one"))
                try await socket.expectNext(.text("two"))
            }
        }
    }

    @Test func `frames in one segment with the answer are messages`() async throws {
        try await withRawServer { client in
            let request = try client.readRequest()
            let head = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            let frame = Frame(Frame.Opcode.text, "early".utf8, key: nil)
            var close = Frame.close(1001)
            close.key = nil
            try client.send(Array("\(head)\(request.accept)\r\n\r\n".utf8) + frame.bytes + close.bytes)
            #expect(try client.readMaskedFrame().text == "early")
            #expect(try client.readMaskedFrame().closeCode == 1001)
        } body: { port in
            try await connect(port: port) { socket in
                for try await message in socket { try await socket.send(message) }
                #expect(socket.closeCode == .goingAway)
            }
        }
    }

    // MARK: Refusals

    private func refusal(_ answer: String) async throws -> WebSocketError? {
        try await withRawServer { client in
            _ = try client.readRequest()
            try client.send(answer)
            client.finish()
            do { try client.expectEnd() } catch Client.Failure.reset {}
        } body: { port in
            await failure(port: port) { $0.maxRefusalBytes = 8 }
        }
    }

    @Test(arguments: [
        ("Content-Length: 4\r\n\r\nnope", "nope"), ("Content-Length: 4\r\n\r\nnope, and more", "nope"),
        ("Content-Length: 40\r\n\r\nnope", "nope"), ("\r\nnope", "nope"), ("\r\nmuch more than is kept", "much mor"),
        ("Content-Length: 0\r\n\r\n", ""),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n2\r\npe\r\n0\r\n\r\n", "nope"),
        ("Content-Length: 18446744073709551615\r\n\r\nnope", "nope"),
    ])
    func `a refusal is told with its content, however that is framed`(fields: String, content: String) async throws {
        let error = try await refusal("HTTP/1.1 404 Not Found\r\nX-Why: because\r\n\(fields)")
        #expect(error?.code == .handshakeRefused)
        #expect(error?.message.contains("404 Not Found") == true)
        #expect(error?.response?.status == .notFound)
        #expect(error?.response?.headerFields[.init("X-Why")!] == "because")
        #expect(error.map { String(decoding: $0.response?.body ?? [], as: UTF8.self) } == content)
    }

    @Test func `a refusal whose content does not end is told when time is up`() async throws {
        try await withRawServer { client in
            _ = try client.readRequest()
            try client.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nwait")
            try client.expectEnd()
        } body: { port in
            // Time enough for the answer to begin, also where the machine is very busy.
            let error = await failure(port: port) { $0.handshakeTimeout = .seconds(8) }
            #expect(error?.code == .handshakeRefused)
            #expect(error?.response.map { String(decoding: $0.body, as: UTF8.self) } == "wait")
        }
    }

    @Test func `our own server's refusal is read`() async throws {
        try await withServer(upgrade: { _ in .reject(.text("not today", status: .forbidden)) }) { _, port in
            let error = await failure(port: port)
            #expect(error?.response?.status == .forbidden)
            #expect(error?.response?.body == Array("not today".utf8))
        }
    }

    // MARK: Redirects

    private static func redirect(_ location: String, _ status: String = "302 Found") -> ServerScript {
        { client in
            _ = try client.readRequest()
            try client.sendHead("HTTP/1.1 \(status)", "Location: \(location)", "Content-Length: 0")
            try client.expectEnd()
        }
    }

    @Test func `a redirect is not followed unless one may`() async throws {
        try await withRawServer(Self.redirect("/elsewhere")) { port in
            let error = await failure(port: port)
            #expect(error?.code == .handshakeRefused)
            #expect(error?.response?.headerFields[.location] == "/elsewhere")
        }
    }

    @Test(arguments: [
        "301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect",
    ])
    func `a redirect is followed where one may`(status: String) async throws {
        let accept: ServerScript = { client in
            #expect(try client.acceptHandshake().lines[0] == "GET /elsewhere HTTP/1.1")
            try client.answerClose()
        }
        try await withRawServer([Self.redirect("/elsewhere", status), accept]) { port in
            try await connect(port: port, "/") {
                $0.maxRedirects = 1
            } handler: { _ in
            }
        }
    }

    @Test func `a circle of redirects ends`() async throws {
        let redirect = Self.redirect("/")
        try await withRawServer([redirect, redirect, redirect]) { port in
            #expect(await failure(port: port) { $0.maxRedirects = 2 }?.code == .handshakeRefused)
        }
    }

    @Test func `another origin is told nothing of the user`() async throws {
        try await withRawServer { client in
            let request = try client.acceptHandshake()
            #expect(request["Authorization"] == nil)
            #expect(request["Cookie"] == nil)
            #expect(request["X-Other"] == "kept")
            try client.answerClose()
        } body: { other in
            try await withRawServer(Self.redirect("http://127.0.0.1:\(other)/")) { port in
                var configuration = WebSocketClient.Configuration()
                configuration.maxRedirects = 1
                configuration.headerFields = [.cookie: "a", .init("X-Other")!: "kept"]
                try await WebSocketClient.connect(
                    "ws://user:secret@127.0.0.1:\(port)", configuration: configuration, logger: .silent
                ) { _ in }
            }
        }
    }

    @Test func `a redirect to no WebSocket URL is told`() async throws {
        try await withRawServer(Self.redirect("ftp://127.0.0.1/")) { port in
            #expect(await failure(port: port) { $0.maxRedirects = 1 }?.code == .invalidArgument)
        }
    }

    // MARK: Proxies

    @Test func `a proxy is asked to connect, and then the server's answer comes through it`() async throws {
        try await withRawServer { client in
            let request = try client.readRequest()
            #expect(request.lines[0] == "CONNECT server.example:8080 HTTP/1.1")
            #expect(request["Host"] == "server.example:8080")
            #expect(request["Proxy-Authorization"] == "Basic eA==")
            try client.sendHead("HTTP/1.1 200 Connection established", "Via: test")
            let upgrade = try client.acceptHandshake()
            #expect(upgrade.lines[0] == "GET /a HTTP/1.1")
            #expect(upgrade["Host"] == "server.example:8080")
            #expect(upgrade["Proxy-Authorization"] == nil)
            try client.answerClose()
        } body: { port in
            var configuration = WebSocketClient.Configuration()
            configuration.proxy = .init(
                host: "127.0.0.1", port: port, headerFields: [.proxyAuthorization: "Basic eA=="])
            try await WebSocketClient.connect("ws://server.example:8080/a", configuration: configuration) { _ in }
        }
    }

    @Test func `a proxy that refuses is told with what it says`() async throws {
        try await withRawServer { client in
            _ = try client.readRequest()
            try client.send(
                "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno")
            try client.expectEnd()
        } body: { port in
            let error = await failure(port: 1) { $0.proxy = .init(host: "127.0.0.1", port: port) }
            #expect(error?.code == .cannotConnect)
            #expect(error?.response?.status == .proxyAuthenticationRequired)
            #expect(error?.response?.body == Array("no".utf8))
        }
    }

    @Test func `nothing may come through a proxy before we have spoken`() async throws {
        try await withRawServer { client in
            _ = try client.readRequest()
            try client.send("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n")
            try client.expectEnd()
        } body: { port in
            let error = await failure(port: 1) { $0.proxy = .init(host: "127.0.0.1", port: port) }
            #expect(error?.code == .handshakeFailed)
        }
    }

    @Test func `a task that is cancelled while it waits for the answer gives up`() async throws {
        let hasAsked = Gate()
        try await withRawServer { client in
            _ = try client.readRequest()
            hasAsked.open()
            try client.expectEnd()
        } body: { port in
            let task = Task { await failure(port: port) }
            await hasAsked.pass()
            task.cancel()
            #expect(await task.value?.code == .cancelled)
        }
    }
}
