@testable import Apus
import HTTPTypes
import TestSupport
import Testing

/// A client against our own server.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct WebSocketClientTests {
    private struct Mistake: Error {}

    @Test func `messages go both ways, of every kind and at the borders of the length field`() async throws {
        try await withServer(.with { $0.maxMessageBytes = 8 << 20 }) { _, port in
            try await connect(port: port, "/") {
                $0.maxMessageBytes = 8 << 20
            } handler: { socket in
                for count in [0, 1, 125, 126, 127, 65535, 65536, 131_000, 131_072, 5 << 20] {
                    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                    try await socket.send(bytes)
                    try await socket.expectNext(.binary(bytes))
                }
                try await socket.send("naïve — 你好")
                try await socket.expectNext(.text("naïve — 你好"))
            }
        }
    }

    @Test func `many messages at once keep their order`() async throws {
        try await withServer { _, port in
            try await connect(port: port) { socket in
                async let sent: Void = { for number in 0..<2000 { try await socket.send("\(number)") } }()
                for number in 0..<2000 { try await socket.expectNext(.text("\(number)")) }
                try await sent
            }
        }
    }

    @Test func `a closure may receive`() async throws {
        let statistics = try await withServer { _, port in
            try await connect(port: port) { socket in
                socket.trySend("1")
                try await socket.receive { message in
                    guard case .text(let text) = message.message, let number = Int(text), number < 100 else {
                        return try socket.startClosing()
                    }
                    socket.trySend("\(number + 1)")
                }
            }
        }
        #expect(statistics.messagesReceived == 100)
        #expect(statistics.protocolErrors == 0)
    }

    @Test func `a connection as old as it may be is closed with 1001`() async throws {
        let codes = Box<CloseCode?>()
        try await withServer(.patient) { socket in
            defer { codes.put(socket.closeCode) }
            for try await _ in socket {}
        } body: { _, port in
            try await connect(port: port) {
                $0 = .patient
                $0.maxLifetime = .milliseconds(100)
            } handler: { socket in
                for try await _ in socket {}
                #expect(socket.closeCode == .goingAway)
            }
            #expect(await codes.take() == .goingAway)
        }
    }

    @Test func `what the handler returns is returned, and the connection closed with 1000`() async throws {
        let codes = Box<CloseCode?>()
        try await withServer { socket in
            for try await _ in socket {}
            codes.put(socket.closeCode)
        } body: { _, port in
            let answer = try await connect(port: port) { _ in 42 }
            #expect(answer == 42)
            #expect(await codes.take() == .normalClosure)
        }
    }

    @Test func `what the handler throws is thrown, and the connection closed with 1011`() async throws {
        let codes = Box<CloseCode?>()
        try await withServer { socket in
            for try await _ in socket {}
            codes.put(socket.closeCode)
        } body: { _, port in
            await #expect(throws: Mistake.self) { try await connect(port: port) { _ in throw Mistake() } }
            #expect(await codes.take() == .internalError)
        }
    }

    @Test func `a cancelled task closes with 1001`() async throws {
        let codes = Box<CloseCode?>()
        let isOpen = Gate()
        try await withServer(.patient) { socket in
            defer { codes.put(socket.closeCode) }
            for try await _ in socket {}
        } body: { _, port in
            let task = Task {
                // Whether it opens or not, or this test would wait for ever where it does not.
                defer { isOpen.open() }
                return try await connect(port: port) {
                    $0 = .patient
                } handler: { socket in
                    isOpen.open()
                    for try await _ in socket {}
                    return "ended"
                }
            }
            await isOpen.pass()
            task.cancel()
            let value = try await task.value
            #expect(value == "ended")
            #expect(await codes.take() == .goingAway)
        }
    }

    @Test func `a task that was cancelled before opens nothing`() async throws {
        let statistics = try await withServer { _, port in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return await failure(port: port)
            }
            #expect(await task.value?.code == .cancelled)
            // A connection behind it shows that there is none before.
            try await expectEcho(port: port)
        }
        #expect(statistics.connectionsAccepted == 1)
    }

    @Test func `the server closes, and the loop ends`() async throws {
        try await withServer {
            try await $0.close(.init(rawValue: 4001), reason: "bye")
        } body: { _, port in
            try await connect(port: port) { socket in
                for try await _ in socket {}
                #expect(socket.closeCode == CloseCode(rawValue: 4001))
                #expect(socket.closeReason == "bye")
            }
        }
    }

    @Test func `a ping is answered, either way`() async throws {
        try await withServer { socket in
            try await socket.ping()
            for try await _ in socket {}
        } body: { _, port in
            _ = try await connect(port: port) { socket in try await socket.ping() }
        }
    }

    @Test func `subprotocols and fields are offered, and the answer can be read`() async throws {
        let upgrade: @Sendable (Request) async throws -> UpgradeResponse = { asked in
            let request = asked.head
            #expect(request.offeredSubprotocols == ["chat", "superchat"])
            #expect(request.headerFields[.cookie] == "a=b")
            #expect(request.headerFields[.authorization] == "Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==")
            #expect(request.path == "/room?x=1")
            return .accept(subprotocol: "superchat", headerFields: [.server: "test"])
        }
        try await withServer(upgrade: upgrade) { _, port in
            var configuration = WebSocketClient.Configuration()
            configuration.subprotocols = ["chat", "superchat"]
            configuration.headerFields = [.cookie: "a=b"]
            let url = "ws://aladdin:open%3Asesame@127.0.0.1:\(port)/room?x=1"
            try await WebSocketClient.connect(url, configuration: configuration) { socket in
                #expect(socket.subprotocol == "superchat")
                #expect(socket.request.path == "/room?x=1")
                #expect(socket.request.authority == "127.0.0.1:\(port)")
                #expect(socket.response?.status == .switchingProtocols)
                #expect(socket.response?.headerFields[.server] == "test")
                #expect(socket.remoteAddress.port == port)
            }
        }
    }

    @Test func `every connection has a number of its own`() async throws {
        try await withServer { _, port in
            let ids = try await [connect(port: port) { $0.id }, connect(port: port) { $0.id }]
            #expect(Set(ids).count == 2)
        }
    }

    @Test func `the server's connection has no response`() async throws {
        let responses = Box<HTTPResponse?>()
        try await withServer {
            responses.put($0.response)
        } body: { _, port in
            try await connect(port: port) { socket in for try await _ in socket {} }
            #expect(await responses.take() == .some(nil))
        }
    }

    @Test func `a Unix socket is reached`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/server"
        var configuration = WebSocketServer.Configuration(unixSocketPath: path)
        configuration.threads = 1
        configuration.shutdownSignals = []
        try await withServer(configuration) { _, _ in
            try await WebSocketClient.connect("ws+unix://\(path):/chat") { socket in
                #expect(socket.request.path == "/chat")
                #expect(socket.remoteAddress.isUnix)
                try await socket.send("hello")
                try await socket.expectNext(.text("hello"))
            }
        }
    }

    // MARK: Event loops

    @Test func `without a loop of its own a connection lives on the clients' one`() async throws {
        try await withServer { _, port in
            let loops = try await [
                connect(port: port) { socket in
                    #expect(socket.eventLoop.isCurrent)
                    return ObjectIdentifier(socket.eventLoop)
                },
                connect(port: port) { ObjectIdentifier($0.eventLoop) },
            ]
            #expect(loops[0] == loops[1])
        }
    }

    @Test func `a loop that is given is taken`() async throws {
        let loop = try EventLoop()
        try await withServer { _, port in
            try await WebSocketClient.connect("ws://127.0.0.1:\(port)", eventLoop: loop) { socket in
                #expect(socket.eventLoop === loop)
                #expect(loop.isCurrent)
            }
        }
    }

    @Test func `within a server's handler it is the handler's own`() async throws {
        try await withServer { _, port in
            try await withServer { socket in
                for try await message in socket {
                    let answer = try await connect(port: port) { upstream in
                        #expect(upstream.eventLoop === socket.eventLoop)
                        try await upstream.send(message)
                        return try await upstream.next()
                    }
                    if let answer { try await socket.send(answer) }
                }
            } body: { _, front in
                try await connect(port: front) { socket in
                    for text in ["one", "two"] {
                        try await socket.send(text)
                        try await socket.expectNext(.text(text))
                    }
                }
            }
        }
    }

    @Test func `nobody's thread has no current loop`() async throws {
        #expect(try await onThread { EventLoop.current == nil })
    }

    // MARK: What is refused before anything is connected

    @Test(
        arguments: [
            { $0.subprotocols = ["a b"] }, { $0.subprotocols = ["a", "a"] }, { $0.headerFields[.connection] = "close" },
            { $0.headerFields[.contentLength] = "1" },
        ] as [@Sendable (inout WebSocketClient.Configuration) -> Void])
    func `a request that cannot be sent is refused`(
        change: @Sendable (inout WebSocketClient.Configuration) -> Void
    ) async throws {
        #expect(await failure(port: 1, "/", change)?.code == .invalidArgument)
    }

    @Test func `a host that cannot be one is refused`() async {
        #expect(await errorCode { try await WebSocketClient.connect("ws://a_b\"c") { _ in } } == .invalidArgument)
    }

    @Test(
        arguments: [
            { $0.maxRedirects = -1 }, { $0.connectTimeout = .zero }, { $0.maxHeadFields = 101 },
            { $0.maxMessageBytes = 0 },
            { $0.proxy = .init(host: "a", port: 0) },
        ] as [@Sendable (inout WebSocketClient.Configuration) -> Void])
    func `settings that cannot work are refused`(
        change: @Sendable (inout WebSocketClient.Configuration) -> Void
    ) async throws {
        #expect(await failure(port: 1, "/", change)?.code == .invalidConfiguration)
    }
}
