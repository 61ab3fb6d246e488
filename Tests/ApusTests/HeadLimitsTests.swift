import Apus
import TestSupport
import Testing

/// DESIGN §7: what a request head may not be, and how long it may take.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct HeadLimitsTests {
    @Test func `a head of too many bytes gets 431 as soon as they are there`() async throws {
        let statistics = try await withServer(
            .with {
                $0.maxHeadBytes = 256
            }
        ) { _, port in
            let status = try await onThread {
                let client = try Client(port: port)
                try client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + String(repeating: "x", count: 256))
                return try client.readAnswer().status
            }
            #expect(status == 431)
            try await expectEcho(port: port)
        }
        #expect(statistics.requestsRefused == 1)
    }

    @Test func `a head of too many fields gets 431`() async throws {
        let statistics = try await withServer(
            .with {
                $0.maxHeadFields = 8
            }
        ) { _, port in
            let status = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest("GET", "/", "A: 1", "B: 2", "C: 3", "D: 4", "E: 5", "F: 6", "G: 7", "H: 8")
                return try client.readAnswer().status
            }
            #expect(status == 431)
            try await expectEcho(port: port)
        }
        #expect(statistics.requestsRefused == 1)
    }

    @Test func `a head that takes too long gets 408`() async throws {
        let statistics = try await withServer(
            .with {
                $0.handshakeTimeout = .milliseconds(100)
            }
        ) { _, port in
            let answer = try await onThread {
                let client = try Client(port: port)
                try client.send("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: web")
                let answer = try client.readAnswer()
                try client.expectEnd()
                return answer
            }
            #expect(answer.status == 408)
            #expect(answer["Connection"] == "close")
            try await expectEcho(port: port)
        }
        #expect(statistics.handshakeTimeouts == 1)
    }

    @Test func `a connection that says nothing ends without an answer`() async throws {
        let statistics = try await withServer(
            .with {
                $0.handshakeTimeout = .milliseconds(100)
            }
        ) { _, port in
            try await onThread { try Client(port: port).expectEnd() }
            try await expectEcho(port: port)
        }
        #expect(statistics.handshakeTimeouts == 1)
        #expect(statistics.requests == 1)
    }

    @Test func `a connection that asks nothing more ends`() async throws {
        let statistics = try await withServer(
            .with {
                $0.keepAliveTimeout = .milliseconds(100)
            }
        ) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                guard try client.readAnswer()["Connection"] == nil else { throw Client.Failure.malformed("closes") }
                try client.expectEnd()
            }
        }
        #expect(statistics.keepAliveTimeouts == 1)
        #expect(statistics.handshakeTimeouts == 0)
    }

    @Test func `the application may take longer to answer than a client to ask`() async throws {
        let gate = Gate()
        try await withServer(
            .with {
                $0.handshakeTimeout = .milliseconds(100)
                $0.threads = 1
            },
            http: { _ in
                await gate.pass()
                return .text("at last")
            }
        ) { _, port in
            let patient = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                return client
            }
            // Another connection tells that the time is over.
            try await onThread { try Client(port: port).expectEnd() }
            gate.open()
            #expect(try await onThread { try patient.readAnswer().text } == "at last")
        }
    }

    @Test func `more connections than allowed get 503, until one goes`() async throws {
        let statistics = try await withServer(
            .with {
                $0.maxConnections = 2
            }
        ) { server, port in
            try await onThread {
                let first = try Client.webSocket(port: port)
                let second = try Client.webSocket(port: port)
                let third = try Client(port: port)
                let answer = try third.readAnswer()
                try third.expectEnd()
                guard answer.status == 503, answer["Retry-After"] == "1", answer["Connection"] == "close" else {
                    throw Client.Failure.malformed(answer.lines.joined())
                }
                try first.send(.text("served"))
                guard try first.readText() == "served" else { throw Client.Failure.ended }
                try first.closeNormally()
                try second.closeNormally()
            }
            try await until { server.statistics.connectionsNow == 0 }
            try await expectEcho(port: port)
        }
        #expect(statistics.connectionsRefused == 1)
        #expect(statistics.connectionsAccepted == 3)
    }
}
