import Apus
import HTTPTypes
import TestSupport
import Testing

extension WebSocketServer.Configuration {
    /// For content of at most so many bytes.
    fileprivate static func limited(to limit: Int) -> Self { .with { $0.maxBodyBytes = limit } }
}

/// Answers with the content; `/ignore` without having read it, `/first` with its first piece.
private func repeatBack(_ request: Request) async throws -> Response {
    switch request.path {
    case "/ignore": return .text("ignored")
    case "/collect": return Response(status: .ok, body: try await request.body.collect(upTo: 10))
    default: break
    }
    var bytes: [UInt8] = []
    for try await piece in request.body { bytes += piece }
    return Response(
        status: .ok, headerFields: [.contentType: "length=\(request.body.contentLength ?? -1)"], body: bytes)
}

/// Content in chunks of `size` bytes.
private func chunked(_ content: [UInt8], by size: Int) -> [UInt8] {
    var out: [UInt8] = []
    var rest = content[...]
    while !rest.isEmpty {
        let chunk = rest.prefix(size)
        out += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
        rest = rest.dropFirst(size)
    }
    return out + Array("0\r\n\r\n".utf8)
}

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct RequestBodyTests {
    @discardableResult
    private static func onServer<T: Sendable>(
        _ configuration: WebSocketServer.Configuration = .with(), _ script: @escaping @Sendable (Client) throws -> T
    ) async throws -> (T, WebSocketServer.Statistics) {
        let results = Box<T>()
        let statistics = try await withServer(configuration, http: repeatBack) { _, port in
            results.put(try await onThread { try script(Client(port: port)) })
            try await expectEcho(port: port)
        }
        return (try #require(await results.take()), statistics)
    }

    private static let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }

    @Test func `content of a known length reaches the handler whole`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Content-Length: \(Self.content.count)")
            try client.send(Self.content)
            return try client.readAnswer()
        }
        #expect(answer.body == Self.content)
        #expect(answer["Content-Type"] == "length=100000")
    }

    @Test(arguments: [1, 7, 4096, 70_000])
    func `content in chunks reaches the handler whole`(size: Int) async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send(chunked(Self.content, by: size))
            return try client.readAnswer()
        }
        #expect(answer.body == Self.content)
        #expect(answer["Content-Type"] == "length=-1")
    }

    @Test func `content that comes byte by byte reaches the handler whole`() async throws {
        let (bodies, _) = try await Self.onServer { client in
            var bodies: [String] = []
            let requests = [
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: u\r\n\r\n",
            ]
            for request in requests {
                for byte in request.utf8 { try client.send([byte]) }
                bodies.append(try client.readAnswer().text)
            }
            return bodies
        }
        #expect(bodies == ["hello", "hello"])
    }

    @Test func `requests with content that come at once are answered in order`() async throws {
        let (texts, statistics) = try await Self.onServer { client in
            try client.send(
                "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
                    + "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
                    + "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree"
                    + "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"
                    + "POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfive")
            let texts = try (0..<5).map { _ in try client.readAnswer().text }
            try client.open()
            return texts
        }
        #expect(texts == ["one", "two", "ignored", "ignored", "five"])
        #expect(statistics.requestsRefused == 0)
    }

    @Test func `much content that nobody read ends the connection with the response`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/ignore", "Content-Length: \(Self.content.count)")
            try client.send(Self.content)
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.text == "ignored")
    }

    @Test func `content over the limit is 413 before the handler hears of it`() async throws {
        let (answer, statistics) = try await Self.onServer(.limited(to: 100)) { client in
            try client.sendRequest("POST", "/", "Content-Length: 101")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 413)
        #expect(answer["Connection"] == "close")
        #expect(statistics.contentSizeErrors == 1)
        #expect(statistics.requestsRefused == 1)
    }

    @Test func `chunks over the limit are 413 as soon as they pass it`() async throws {
        let (answers, statistics) = try await Self.onServer(.limited(to: 100)) { client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send(chunked(Array(Self.content.prefix(100)), by: 10))
            let first = try client.readAnswer()
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send(chunked(Array(Self.content.prefix(101)), by: 10).dropLast(5))
            let second = try client.readAnswer()
            try client.expectEnd()
            return [first, second]
        }
        #expect(answers.map(\.status) == [200, 413])
        #expect(statistics.contentSizeErrors == 1)
    }

    @Test func `a handler's own limit is 413 too`() async throws {
        let (answers, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/collect", "Content-Length: 10")
            try client.send("0123456789")
            let first = try client.readAnswer()
            try client.sendRequest("POST", "/collect", "Transfer-Encoding: chunked")
            try client.send("b\r\n0123456789X\r\n0\r\n\r\n")
            let second = try client.readAnswer()
            try client.sendRequest("POST", "/collect", "Content-Length: 11")
            try client.send("0123456789X")
            return [first, second, try client.readAnswer()]
        }
        #expect(answers.map(\.status) == [200, 413, 413])
        #expect(answers[0].text == "0123456789")
    }

    @Test func `malformed chunks are 400, and the connection ends`() async throws {
        let (answer, statistics) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Transfer-Encoding: chunked")
            try client.send("5\r\nhello\r\nX\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 400)
        #expect(answer["Connection"] == "close")
        #expect(statistics.contentErrors == 1)
        #expect(statistics.requests == 2)  // this one and the echo's
    }

    @Test func `a client that ends in the middle of its content is told, if it listens`() async throws {
        let (answer, statistics) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Content-Length: 10")
            try client.send("01234")
            client.finish()
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 400)
        #expect(statistics.contentErrors == 1)
    }

    @Test func `a client that stops in the middle of its content gets 408`() async throws {
        let (answer, statistics) = try await Self.onServer(.with { $0.bodyTimeout = .milliseconds(50) }) { client in
            try client.sendRequest("POST", "/", "Content-Length: 10")
            try client.send("01234")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 408)
        #expect(statistics.contentTimeouts == 1)
    }

    @Test func `a client that expects 100 gets it when the content is asked for`() async throws {
        let (lines, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Content-Length: 5", "Expect: 100-continue")
            let interim = try client.read(through: Array("\r\n\r\n".utf8))
            try client.send("hello")
            let answer = try client.readAnswer()
            try client.sendRequest("GET", "/")
            return [String(decoding: interim, as: UTF8.self), answer.text, "\(try client.readAnswer().status)"]
        }
        #expect(lines == ["HTTP/1.1 100 Continue\r\n\r\n", "hello", "200"])
    }

    @Test func `a client that expects 100 and whose content nobody wants gets the response, and the end`() async throws
    {
        let (answer, _) = try await Self.onServer { client in
            try client.sendRequest("POST", "/ignore", "Content-Length: 5", "Expect: 100-continue")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.text == "ignored")
        #expect(answer["Connection"] == "close")
    }

    @Test func `a client that expects 100 gets it before a response that is written while its content is read`()
        async throws
    {
        try await withServer(http: { request in
            Response(status: .ok, contentLength: 5) { writer in
                for try await piece in request.body { try await writer.write(piece) }
            }
        }) { _, port in
            let (lines, text, next) = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Content-Length: 5", "Expect: 100-continue")
                let interim = try client.read(through: Array("\r\n\r\n".utf8))
                try client.send("hello")
                let text = try client.readAnswer().text
                try client.sendRequest("POST", "/", "Content-Length: 5")
                try client.send("again")
                return (String(decoding: interim, as: UTF8.self), text, try client.readAnswer().text)
            }
            #expect(lines == "HTTP/1.1 100 Continue\r\n\r\n")
            #expect([text, next] == ["hello", "again"])
        }
    }

    @Test func `a client that expects 100 and does not wait for it gets none`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\nhello")
            return try client.readAnswer()
        }
        #expect(answer.text == "hello")
    }

    @Test(arguments: ["Expect: 200-ok", "Expect: 100-continue, x", "Expect: 100-continue\r\nExpect: 100-continue"])
    func `another expectation is 417`(field: String) async throws {
        let (answer, statistics) = try await Self.onServer { client in
            try client.sendRequest("POST", "/", "Content-Length: 5", field)
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 417)
        #expect(statistics.requestsRefused == 1)
    }

    @Test func `HTTP/1.0 knows no expectations`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.send("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello")
            return try client.readAnswer()
        }
        #expect(answer.text == "hello")
    }

    /// Where two readers might disagree on where the request ends, it is refused, and what follows is no request.
    static let smuggling: [(String, Int)] = [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400), ("Transfer-Encoding: \r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400), ("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400), (" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n", 400),
        ("X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
        ("X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        ("Content-Length: 5, 5\r\n\r\nhello", 400), ("Content-Length: +5\r\n\r\nhello", 400),
        ("Content-Length: -5\r\n\r\nhello", 400), ("Content-Length: 0x5\r\n\r\nhello", 400),
        ("Content-Length: 5 5\r\n\r\nhello", 400), ("Content-Length: \r\n\r\nhello", 400),
        ("Content-Length: 18446744073709551616\r\n\r\n", 400), ("Content-Length: 18446744073709551615\r\n\r\n", 413),
        ("Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n00000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA b\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + String(repeating: "x", count: 101), 413),
    ]

    @Test(arguments: smuggling)
    func `a request whose end is not plain is refused, and nothing behind it is answered`(
        rest: String, status: Int
    ) async throws {
        let (answer, _) = try await Self.onServer(.limited(to: 100)) { client in
            try client.send("POST / HTTP/1.1\r\nHost: a\r\n" + rest + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == status)
        #expect(answer["Connection"] == "close")
    }

    @Test func `chunks in HTTP/1.0 are refused`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.send("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 400)
    }

    @Test func `an opening handshake has no content`() async throws {
        let (answer, _) = try await Self.onServer { client in
            try client.sendHandshake("/", ["Content-Length: 1"])
            let answer = try client.readAnswer()
            try client.expectEnd()
            return answer
        }
        #expect(answer.status == 413)
    }

    @Test func `content that nobody reads holds its sender back`() async throws {
        let gate = Gate()
        let size = 64 << 20
        let received = Box<Int>()
        try await withServer(
            .limited(to: size),
            http: { request in
                await gate.pass()
                var count = 0
                for try await piece in request.body { count += piece.count }
                received.put(count)
                return .text("\(count)")
            }
        ) { server, port in
            let client = try await onThread { try Client(port: port) }
            async let text = onThread {
                try client.sendRequest("POST", "/", "Content-Length: \(size)")
                try client.send([UInt8](repeating: 120, count: size))
                return try client.readAnswer().text
            }
            // From then on nothing is read until the handler asks: what came is one read, and little before it.
            try await until { server.statistics.readsPaused == 1 }
            #expect(server.statistics.bytesReceived < 256 << 10)
            gate.open()
            #expect(try await text == "\(size)")
        }
        #expect(await received.take() == size)
    }

    @Test func `a task that waits for content can be cancelled, and another can go on`() async throws {
        try await withServer(http: { request in
            let waiting = Task { try await request.body.collect(upTo: 100) }
            waiting.cancel()
            let code = await errorCode { _ = try await waiting.value }
            return .text("\(code?.description ?? "") \(try await request.body.collect(upTo: 100).count)")
        }) { _, port in
            let text = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Content-Length: 5", "Expect: 100-continue")
                _ = try client.read(through: Array("\r\n\r\n".utf8))
                try client.send("hello")
                return try client.readAnswer().text
            }
            #expect(text == "cancelled 5")
        }
    }

    @Test func `content cannot be read once the response is given`() async throws {
        let bodies = Box<RequestBody>()
        try await withServer(http: { request in
            bodies.put(request.body)
            return .text("done")
        }) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Content-Length: 5")
                try client.send("hello")
                _ = try client.readAnswer()
            }
            let body = try #require(await bodies.take())
            let code = await errorCode { _ = try await body.collect(upTo: 100) }
            #expect(code == .connectionClosed)
        }
    }

    @Test func `a client that goes while its content is awaited ends the wait`() async throws {
        let codes = Box<WebSocketError.Code?>()
        try await withServer(http: { request in
            codes.put(await errorCode { _ = try await request.body.collect(upTo: 100) })
            return .notFound
        }) { server, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("POST", "/", "Content-Length: 5", "Expect: 100-continue")
                _ = try client.read(through: Array("\r\n\r\n".utf8))
                try client.reset()
            }
            #expect(await codes.take() == .connectionLost)
        }
    }
}
