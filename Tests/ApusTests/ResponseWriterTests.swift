@testable import Apus
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// The chunks of an answer, as they came, up to the last.
private func readChunks(_ client: Client) throws -> [String] {
    var chunks: [String] = []
    while true {
        let line = String(decoding: try client.read(through: Array("\r\n".utf8)).dropLast(2), as: UTF8.self)
        guard let size = Int(line, radix: 16) else { throw Client.Failure.malformed(line) }
        let data = try client.read(size + 2)
        guard size > 0 else { return chunks }
        chunks.append(String(decoding: data.dropLast(2), as: UTF8.self))
    }
}

private struct Secret: Error {}

private func stream(_ request: Request) async throws -> Response {
    switch request.path {
    case "/length":
        return Response(status: .ok, contentLength: 6) { writer in
            try await writer.write("one")
            try await writer.write([])
            try await writer.write("two")
        }
    case "/short": return Response(status: .ok, contentLength: 6) { try await $0.write("one") }
    case "/long":
        return Response(status: .ok, contentLength: 3) { writer in
            try await writer.write("one")
            try await writer.write("two")
        }
    case "/error":
        return Response(status: .ok) { writer in
            try await writer.write("one")
            throw Secret()
        }
    case "/none": return Response(status: .noContent) { _ in Issue.record("204 has no content to write") }
    case "/reset": return Response(status: .resetContent) { _ in Issue.record("205 has no content to write") }
    case "/same": return Response(status: .notModified) { _ in Issue.record("304 has no content to write") }
    case "/refused": return Response(status: .forbidden, contentLength: 2) { try await $0.write("no") }
    case "/field":
        return Response(status: .continue) { _ in Issue.record("an interim response is no answer") }
    case "/plain": return .text("plain")
    default:
        return Response(status: .ok, headerFields: [.contentType: "text/plain"]) { writer in
            try await writer.write("one")
            try await writer.write("")
            // From a task on another thread.
            try await Task.detached { try await writer.write("two") }.value
        }
    }
}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct ResponseWriterTests {
    @discardableResult
    private static func onServer<T: Sendable>(_ script: @escaping @Sendable (Client) throws -> T) async throws -> T {
        let results = Box<T>()
        try await withServer(http: stream) { _, port in
            results.put(try await onThread { try script(Client(port: port)) })
            try await expectEcho(port: port)
        }
        return try #require(await results.take())
    }

    /// A client that has sent a request, and of whose response the system holds little.
    private static func slowClient(port: Int) async throws -> Client {
        try await onThread {
            let client = try Client(port: port, receiveBuffer: 4096)
            try client.sendRequest()
            return client
        }
    }

    @Test func `content of no known length goes in chunks, and the connection goes on`() async throws {
        let (answer, chunks, next) = try await Self.onServer { client in
            try client.sendRequest()
            let answer = try client.readAnswer(hasBody: false)
            let chunks = try readChunks(client)
            try client.sendRequest("GET", "/plain")
            return (answer, chunks, try client.readAnswer().text)
        }
        #expect(answer["Transfer-Encoding"] == "chunked")
        #expect(answer["Content-Length"] == nil)
        #expect(chunks == ["one", "two"])
        #expect(next == "plain")
    }

    @Test func `content of a known length goes as it is`() async throws {
        let answers = try await Self.onServer { client in
            try client.sendRequest("GET", "/length")
            try client.sendRequest("GET", "/plain")
            return [try client.readAnswer(), try client.readAnswer()]
        }
        #expect(answers[0]["Content-Length"] == "6")
        #expect(answers[0]["Transfer-Encoding"] == nil)
        #expect(answers.map(\.text) == ["onetwo", "plain"])
    }

    @Test func `to HTTP/1.0 the content ends with the connection`() async throws {
        let (answer, rest) = try await Self.onServer { client in
            try client.send("GET / HTTP/1.0\r\n\r\n")
            return (try client.readAnswer(hasBody: false), try client.readToEnd())
        }
        #expect(answer["Transfer-Encoding"] == nil)
        #expect(answer["Content-Length"] == nil)
        #expect(answer["Connection"] == "close")
        #expect(String(decoding: rest, as: UTF8.self) == "onetwo")
    }

    @Test(arguments: [("HEAD", "/"), ("HEAD", "/length"), ("GET", "/none"), ("GET", "/reset"), ("GET", "/same")])
    func `where there is no content none is written`(method: String, path: String) async throws {
        let (answer, next) = try await Self.onServer { client in
            try client.sendRequest(method, path)
            let answer = try client.readAnswer(hasBody: false)
            try client.sendRequest("GET", "/plain")
            return (answer, try client.readAnswer().text)
        }
        #expect(answer["Content-Length"] == (path == "/length" ? "6" : path == "/reset" ? "0" : nil))
        #expect(next == "plain")
    }

    @Test func `a writer that throws aborts the connection before the last chunk`() async throws {
        let text = try await Self.onServer { client in
            try client.sendRequest("GET", "/error")
            return try readUntilGone(client)
        }
        #expect(!text.hasSuffix("0\r\n\r\n"))
    }

    @Test func `a writer that throws resets a connection whose end would be that of the content`() async throws {
        let wasReset = try await Self.onServer { client in
            try client.send("GET /error HTTP/1.0\r\n\r\n")
            do { _ = try client.readToEnd() } catch Client.Failure.reset { return true }
            return false
        }
        #expect(wasReset)
    }

    @Test(arguments: ["/short", "/long"])
    func `content of another length than was said aborts the connection`(path: String) async throws {
        let text = try await Self.onServer { client in
            try client.sendRequest("GET", path)
            return try readUntilGone(client)
        }
        #expect(text.isEmpty || text.hasSuffix("\r\n\r\n") || text.hasSuffix("\r\n\r\none"))
    }

    @Test func `a head that cannot be sent is a 500`() async throws {
        let status = try await Self.onServer { client in
            try client.sendRequest("GET", "/field")
            return try client.readAnswer().status
        }
        #expect(status == 500)
    }

    @Test func `fields that frame the content are ours alone`() async throws {
        try await withServer(http: { _ in
            var fields = HTTPFields()
            fields[.contentLength] = "999"
            fields[.transferEncoding] = "chunked"
            fields[.connection] = "close"
            return Response(status: .ok, headerFields: fields, body: Array("hello".utf8))
        }) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer["Content-Length"] == "5")
            #expect(answer["Transfer-Encoding"] == nil)
            #expect(answer["Connection"] == "close")
        }
    }

    @Test func `a client that does not read holds the writer back`() async throws {
        let written = Mutex(0)
        let piece = [UInt8](repeating: 120, count: 64 << 10)
        let count = 512
        try await withServer(http: { _ in
            Response(status: .ok, contentLength: count * piece.count) { writer in
                for _ in 0..<count {
                    try await writer.write(piece)
                    written.withLock { $0 += 1 }
                }
            }
        }) { server, port in
            let client = try await Self.slowClient(port: port)
            // The writer goes on until the queue is full: a mebibyte, beside what the sockets hold.
            try await until { written.withLock { $0 } >= 16 }
            #expect(written.withLock { $0 } < count / 2)
            let isWhole = try await onThread {
                try client.readAnswer().body == Array(repeating: 120, count: count * piece.count)
            }
            #expect(isWhole)
            #expect(written.withLock { $0 } == count)
        }
    }

    @Test func `a client that does not read at all is dropped in the end`() async throws {
        let codes = Box<WebSocketError.Code?>()
        let statistics = try await withServer(
            .with {
                $0.bodyTimeout = .milliseconds(50)
                $0.maxOutboundBytes = 4096
            },
            http: { _ in
                Response(status: .ok) { writer in
                    codes.put(
                        await errorCode {
                            while true { try await writer.write([UInt8](repeating: 120, count: 64 << 10)) }
                        })
                }
            }
        ) { server, port in
            let client = try await Self.slowClient(port: port)
            #expect(await codes.take() == .connectionClosed)
            withExtendedLifetime(client) {}
        }
        #expect(statistics.contentTimeouts == 1)
    }

    /// Its content would end with the connection, so that nobody could tell a part of it from the whole.
    @Test(arguments: ["the client takes nothing", "the server stops"])
    func `content without an end of its own that is cut is reset`(_ cause: String) async throws {
        let isStopping = cause == "the server stops"
        let (written, gate) = (Box<Void>(), Gate())
        let clients = Box<Client>()
        try await withServer(
            .with {
                $0.bodyTimeout = isStopping ? .seconds(60) : .milliseconds(50)
                $0.stopDeadline = isStopping ? .milliseconds(50) : .seconds(10)
                $0.maxOutboundBytes = 4096
            },
            http: { _ in
                Response(status: .ok) { writer in
                    try await writer.write("some of it")
                    written.put(())
                    if isStopping { await gate.pass() }
                    while true { try await writer.write([UInt8](repeating: 120, count: 64 << 10)) }
                }
            }
        ) { server, port in
            clients.put(
                try await onThread {
                    let client = try Client(port: port, receiveBuffer: 4096)
                    try client.send("GET / HTTP/1.0\r\n\r\n")
                    return client
                })
            await written.take()
            if !isStopping { try await until { server.statistics.connectionsNow == 0 } }
        }
        let client = try #require(await clients.take())
        await #expect(throws: Client.Failure.reset) { try await onThread { try client.readToEnd() } }
    }

    @Test func `a client that goes ends the writer's wait`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer(http: { _ in
            Response(status: .ok) { writer in
                codes.put(
                    await errorCode { while true { try await writer.write([UInt8](repeating: 120, count: 64 << 10)) } })
            }
        }) { _, port in
            try await onThread {
                let client = try Client(port: port, receiveBuffer: 4096)
                try client.sendRequest()
                _ = try client.readAnswer(hasBody: false)
                try client.reset()
            }
            #expect(await codes.take() == .connectionClosed)
        }
    }

    @Test func `content flows both ways at once`() async throws {
        let size = 8 << 20
        try await withServer(
            .with { $0.maxBodyBytes = size },
            http: { request in
                Response(status: .ok, contentLength: size) { writer in
                    for try await piece in request.body { try await writer.write(piece) }
                }
            }
        ) { _, port in
            let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) }
            let client = try await onThread { try Client(port: port) }
            async let sent: Void = onThread {
                try client.sendRequest("POST", "/", "Content-Length: \(size)")
                try client.send(content)
            }
            // The client is for one thread at a time in each direction; sending and reading share nothing.
            let answer = try await onThread { try client.readAnswer() }
            try await sent
            #expect(answer.body == content)
        }
    }

    @Test func `a client that expects 100 is not asked for its content by a refusal that is written`() async throws {
        let answer = try await Self.onServer { client in
            try client.sendRequest("POST", "/refused", "Content-Length: 5", "Expect: 100-continue")
            return try client.readAnswer()
        }
        #expect(answer.status == 403 && answer.text == "no")
    }

    // Cancellation: of a task that has not begun to write, of one that waits, and of one between the two.

    /// Writes in a task that is on its way until `cancel` has cancelled it, and gives the code of its error.
    private static func codeOfCancelled(
        fills: Bool,
        _ cancel: @escaping @Sendable (HTTPExchange, Task<WebSocketError.Code?, Never>) async throws -> Void,
        _ begin: @escaping @Sendable () async -> Void = {}
    ) async throws -> WebSocketError.Code? {
        let codes = Box<WebSocketError.Code?>()
        try await withServer(
            .patient,
            http: { request in
                let exchange = try #require(request.body.exchange)
                return Response(status: .ok) { writer in
                    let writing = Task.detached {
                        await begin()
                        return await errorCode {
                            repeat { try await writer.write([UInt8](repeating: 120, count: 64 << 10)) } while fills
                        }
                    }
                    try await cancel(exchange, writing)
                    codes.put(await writing.value)
                    throw Secret()
                }
            }
        ) { _, port in
            let client = try await Self.slowClient(port: port)
            let code = await codes.take()
            codes.put(code ?? nil)
            withExtendedLifetime(client) {}
        }
        return await codes.take() ?? nil
    }

    @Test func `a cancelled task writes nothing`() async throws {
        let code = try await Self.codeOfCancelled(fills: false) { _, writing in
            writing.cancel()
        } _: {
            while !Task.isCancelled { await Task.yield() }
        }
        #expect(code == .cancelled)
    }

    @Test func `a task that is cancelled while it waits to write waits no longer`() async throws {
        let code = try await Self.codeOfCancelled(fills: true) { exchange, writing in
            while await exchange.loop.run({ exchange.waitingWriters }) == 0 { await Task.yield() }
            let late = Task.detached {
                while !Task.isCancelled { await Task.yield() }
                await exchange.waitForDrain()
            }
            late.cancel()
            await late.value
            writing.cancel()
        }
        #expect(code == .cancelled)
    }

    @Test func `a task that waits to write when the writer's closure ends waits no longer`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer(
            .patient,
            http: { request in
                let exchange = try #require(request.body.exchange)
                return Response(status: .ok) { writer in
                    Task.detached {
                        codes.put(
                            await errorCode {
                                while true { try await writer.write([UInt8](repeating: 120, count: 64 << 10)) }
                            })
                    }
                    while await exchange.loop.run({ exchange.waitingWriters }) == 0 { await Task.yield() }
                }
            }
        ) { _, port in
            let client = try await Self.slowClient(port: port)
            #expect(await codes.take() == .connectionClosed)
            try await onThread { try client.reset() }
        }
    }
}

/// What comes up to the connection's end, be it a FIN or an RST.
private func readUntilGone(_ client: Client) throws -> String {
    var bytes: [UInt8] = []
    do {
        while true { bytes += try client.read(1) }
    } catch Client.Failure.ended, Client.Failure.reset {
        return String(decoding: bytes, as: UTF8.self)
    }
}
