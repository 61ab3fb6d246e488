@testable import Apus
import CApus
import HTTPTypes
import TestSupport
import Testing

/// Requests that ask for no upgrade.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct HTTPConnectionTests {
    private struct Secret: Error {}

    /// Answers with the path; slowly where that says so.
    private static func respond(to request: Request, slow: Gate? = nil) async throws -> Response {
        switch request.path {
        case "/slow": await slow?.pass()
        case "/error": throw Secret()
        case "/empty": return Response(status: .noContent)
        case "/line": return Response(status: .ok, headerFields: [.location: "a\r\nSet-Cookie: b=1"])
        default: break
        }
        return .text("\(request.method) \(request.path ?? "")")
    }

    private static func onServer<T: Sendable>(_ script: @escaping @Sendable (Client) throws -> T) async throws -> T {
        let results = Box<T>()
        try await withServer(http: {
            try await respond(to: $0)
        }) { _, port in
            results.put(try await onThread { try script(Client(port: port)) })
        }
        return try #require(await results.take())
    }

    @Test func `a request without upgrade gets the response of the application`() async throws {
        let answer = try await Self.onServer { client in
            try client.sendRequest("GET", "/page?x=1")
            return try client.readAnswer()
        }
        #expect(answer.lines.first == "HTTP/1.1 200 OK")
        #expect(answer["Content-Type"] == "text/plain; charset=utf-8")
        #expect(answer["Content-Length"] == "13")
        #expect(answer["Date"]?.hasSuffix(" GMT") == true)
        #expect(answer["Connection"] == nil)
        #expect(answer.text == "GET /page?x=1")
    }

    @Test func `without an application it is 404`() async throws {
        let statistics = try await withServer { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                return try client.readAnswer()
            }
            #expect(answer.status == 404)
            #expect(answer.text == "There is nothing here.\n")
        }
        #expect(statistics.requests == 1)
        #expect(statistics.requestsRefused == 0)
    }

    @Test func `a connection serves one request after the other, and then an upgrade`() async throws {
        let texts = try await Self.onServer { client in
            var texts: [String] = []
            for number in 1...3 {
                try client.sendRequest("GET", "/\(number)")
                texts.append(try client.readAnswer().text)
            }
            try client.open()
            try client.send(.text("four"))
            return texts + [try client.readText()]
        }
        #expect(texts == ["GET /1", "GET /2", "GET /3", "four"])
    }

    @Test func `requests that come at once are answered in order`() async throws {
        let gate = Gate()
        try await withServer(http: { request in
            try await Self.respond(to: request, slow: gate)
        }) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                for path in ["/slow", "/2", "/3"] { try client.sendRequest("GET", path) }
                try client.sendHandshake()
                try client.send(.text("four"))
                return client
            }
            try await until { server.statistics.requests == 1 }
            gate.open()
            let texts = try await onThread {
                let texts = try (1...3).map { _ in try client.readAnswer().text }
                guard try client.readAnswer().status == 101 else { throw Client.Failure.ended }
                return texts + [try client.readText()]
            }
            #expect(texts == ["GET /slow", "GET /2", "GET /3", "four"])
        }
    }

    @Test func `many requests that come at once are held back, and all answered`() async throws {
        let count = 3000
        try await withServer(http: {
            try await Self.respond(to: $0)
        }) { _, port in
            let client = try await onThread { try Client(port: port) }
            async let sent = onThread {
                for number in 0..<count { try client.send("GET /\(number) HTTP/1.1\r\nHost: localhost\r\n\r\n") }
                return count
            }
            let sentCount = try await sent
            let texts = try await onThread { try (0..<sentCount).map { _ in try client.readAnswer().text } }
            #expect(texts == (0..<count).map { "GET /\($0)" })
        }
    }

    /// Far more than the kernel holds, and than may wait: the requests are read as their answers are taken.
    @Test func `who asks for more than it takes is answered as it takes`() async throws {
        let (count, size) = (300, 100_000)
        let text = String(repeating: "a", count: size)
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await withServer(.with { $0.maxOutboundBytes = 200_000 }, http: { _ in .text(text) }) { server, port in
            let client = try await onThread { try Client(port: port, receiveBuffer: 4096) }
            try await onThread {
                for _ in 0..<count { try client.send(request) }
            }
            try await until { server.statistics.bytesReceived == UInt64(count * request.utf8.count) }
            #expect(server.statistics.requests < count)
            let sizes = try await onThread { try (0..<count).map { _ in try client.readAnswer().text.utf8.count } }
            #expect(sizes == Array(repeating: size, count: count))
        }
    }

    @Test func `HEAD gets the head alone`() async throws {
        let answers = try await Self.onServer { client in
            try client.sendRequest("HEAD", "/page")
            let answer = try client.readAnswer(hasBody: false)
            try client.sendRequest("GET", "/page")
            return [answer, try client.readAnswer()]
        }
        #expect(answers[0].status == 200)
        #expect(answers[0]["Content-Length"] == "10")
        #expect(answers[1].text == "GET /page")
    }

    @Test func `a refused HEAD gets the head alone, too`() async throws {
        let (answer, rest) = try await Self.onServer { client in
            try client.sendRequest("HEAD", "/page")
            _ = try client.readAnswer(hasBody: false)
            try client.sendRequest("HEAD", "/page", "Content-Length: 99999999")
            return (try client.readAnswer(hasBody: false), try client.readToEnd())
        }
        #expect(answer.status == 413)
        #expect(answer["Content-Length"] != "0")
        #expect(rest.isEmpty)
    }

    @Test func `what is refused behind a HEAD is refused with content`() async throws {
        let answer = try await Self.onServer { client in
            try client.sendRequest("HEAD", "/page")
            _ = try client.readAnswer(hasBody: false)
            try client.send("GET / HTTP/1.1\r\n\r\n")
            return try client.readAnswer()
        }
        #expect(answer.status == 400)
        #expect(!answer.text.isEmpty)
    }

    @Test func `204 has neither content nor a length of it`() async throws {
        let answers = try await Self.onServer { client in
            try client.sendRequest("GET", "/empty")
            let answer = try client.readAnswer()
            try client.sendRequest("GET", "/page")
            return [answer, try client.readAnswer()]
        }
        #expect(answers[0].status == 204)
        #expect(answers[0]["Content-Length"] == nil)
        #expect(answers[1].status == 200)
    }

    @Test func `an error of the application is a 500 that tells nothing, and the connection goes on`() async throws {
        let answers = try await Self.onServer { client in
            try client.sendRequest("GET", "/error")
            let answer = try client.readAnswer()
            try client.sendRequest("GET", "/page")
            return [answer, try client.readAnswer()]
        }
        #expect(answers[0].status == 500)
        #expect(answers[0].text == "Something went wrong here.\n")
        #expect(answers[1].status == 200)
    }

    @Test func `a line end in a field splits no response`() async throws {
        let answer = try await Self.onServer { client in
            try client.sendRequest("GET", "/line")
            return try client.readAnswer()
        }
        #expect(answer["Set-Cookie"] == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET\r\n\r\n", 400), ("\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("\u{16}\u{3}\u{1}", 400),
    ])
    func `a malformed request is refused, and the connection ends`(request: String, status: Int) async throws {
        let statistics = try await withServer { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.send(request + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == status)
            #expect(answer["Connection"] == "close")
            try await expectEcho(port: port)
        }
        #expect(statistics.requestsRefused == 1)
    }

    @Test(arguments: [
        "GET /page HTTP/1.0\r\n\r\n", "GET /page HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ])
    func `the last request of a connection is answered, and it ends`(request: String) async throws {
        let answer = try await Self.onServer { client in
            try client.send(request)
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.text == "GET /page")
        #expect(answer["Connection"] == "close")
    }

    @Test func `a client that has sent its last byte still gets its answer`() async throws {
        let gate = Gate()
        try await withServer(http: {
            try await Self.respond(to: $0, slow: gate)
        }) { server, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/slow", "Connection: close")
                client.finish()
                return client
            }
            try await until { server.statistics.requests == 1 }
            gate.open()
            let text = try await onThread {
                var answer = try client.readAnswer()
                // Where the answer took a second, the server has probed whether anybody is there.
                if answer.status == 100 { answer = try client.readAnswer() }
                try client.expectEnd()
                return answer.text
            }
            #expect(text == "GET /slow")
        }
    }

    @Test func `a client that goes before its answer does no harm`() async throws {
        let gate = Gate()
        let statistics = try await withServer(
            upgrade: { _ in
                await gate.pass()
                return .accept()
            },
            http: {
                try await Self.respond(to: $0, slow: gate)
            }
        ) { server, port in
            try await onThread {
                let first = try Client(port: port)
                try first.sendRequest("GET", "/slow")
                try first.reset()
                let second = try Client(port: port)
                try second.sendHandshake()
                try second.reset()
            }
            try await until { server.statistics.connectionsAccepted == 2 && server.statistics.connectionsNow == 0 }
            gate.open()
            try await expectEcho(port: port)
        }
        #expect(statistics.connectionsAccepted == 3)
    }

    /// The pings of another connection are the clock: between two of them the client takes some, for twice as long
    /// as a connection may take to close.
    @Test func `an answer goes on for as long as its client takes it`() async throws {
        let body = [UInt8](repeating: 120, count: 40 << 20)
        try await withServer(
            .with {
                $0.closeTimeout = .seconds(1)
                $0.pingInterval = .milliseconds(100)
                $0.maxMissedPings = 100
            },
            http: { _ in Response(status: .ok, body: body) }
        ) { _, port in
            let rest = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/", "Connection: close")
                _ = try client.readAnswer(hasBody: false)
                let clock = try Client.webSocket(port: port)
                for _ in 1...20 {
                    guard try clock.readFrame().opcode == Frame.Opcode.ping else { throw Client.Failure.ended }
                    _ = try client.read(1 << 20)
                }
                try clock.closeNormally()
                return try client.readToEnd()
            }
            #expect(rest.count == 20 << 20)
        }
    }

    @Test func `an answer of which its client takes nothing is cut in the end`() async throws {
        let body = [UInt8](repeating: 120, count: 32 << 20)
        let statistics = try await withServer(
            .with {
                $0.closeTimeout = .milliseconds(100)
                $0.bodyTimeout = .milliseconds(100)
            }, http: { _ in Response(status: .ok, body: body) }
        ) { server, port in
            let client = try await onThread {
                let client = try Client(port: port, receiveBuffer: 4096)
                try client.sendRequest("GET", "/", "Connection: close")
                return client
            }
            try await until { server.statistics.requests == 1 && server.statistics.connectionsNow == 0 }
            await #expect(throws: Client.Failure.self) { try await onThread { try client.readAnswer() } }
        }
        #expect(statistics.bytesSent < UInt64(body.count))
    }

    @Test func `a large response arrives whole`() async throws {
        let body = [UInt8](repeating: 120, count: 5 << 20)
        try await withServer(http: { _ in
            Response(status: .ok, body: body)
        }) { _, port in
            let isWhole = try await onThread {
                let client = try Client(port: port, receiveBuffer: 4096)
                try client.sendRequest("GET", "/", "Connection: close")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer.body == body
            }
            #expect(isWhole)
        }
    }

    @Test func `work that begins when the connection has ended is cancelled`() async throws {
        let loop = try EventLoop(name: "test")
        let shard = ServerShard(loop: loop, logger: .silent, refusals: RefusalLog(logger: .silent, hook: nil))
        // A handle that nothing looks at: only the connection's end is told.
        let handle = ConnectionHandle(pointer: try #require(OpaquePointer(bitPattern: 64)))
        let connection = HTTPConnection(handle, of: shard)
        let isCancelled = try await withTaskExecutorPreference(loop) {
            let ending = withUnsafePointer(to: 0 as UInt8) { nothing in
                Ending(apus_ending(code: 1006, reason: nothing, reason_len: 0, error: 0))
            }
            connection.ended(ending)
            return try await connection.run { Task.isCancelled }
        }
        #expect(isCancelled && connection.isOver)
    }
}
