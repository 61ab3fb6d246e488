import Apus
import HTTPTypes
import Synchronization
import TestSupport
import Testing

/// What becomes of a request whose client does not wait for the response.
@Suite(.timeLimit(.minutes(1)))
struct RequestDepartureTests {
    private static func clientLeaves(_ leave: @escaping @Sendable (Client) throws -> Void) async throws {
        let (hasCome, hasLeft) = (Gate(), Gate())
        try await withServer(http: { request in
            request.onDeparture { hasLeft.open() }
            hasCome.open()
            await hasLeft.pass()
            return .notFound
        }) { _, port in
            let client = try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                return client
            }
            await hasCome.pass()
            try await onThread { try leave(client) }
            await hasLeft.pass()
        }
    }

    @Test func `a connection that is reset is told`() async throws {
        try await Self.clientLeaves { try $0.reset() }
    }

    @Test func `a client that has sent all it will is told, and may read the response`() async throws {
        try await Self.clientLeaves { client in
            client.finish()
            let status = try client.readAnswer().status
            #expect(status == 404)
        }
    }

    @Test func `a client that has left before anybody asked is told at once`() async throws {
        let (mayAsk, hasLeft) = (Gate(), Gate())
        try await withServer(http: { request in
            await mayAsk.pass()
            request.onDeparture { hasLeft.open() }
            await hasLeft.pass()
            return .notFound
        }) { server, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                try client.reset()
            }
            try await until { server.statistics.requests == 1 && server.statistics.connectionsNow == 0 }
            mayAsk.open()
            await hasLeft.pass()
        }
    }

    @Test func `an answered request is not told`() async throws {
        let hasLeft = Mutex(false)
        try await withServer(http: { request in
            request.onDeparture { hasLeft.withLock { $0 = true } }
            return .notFound
        }) { _, port in
            try await onThread {
                let client = try Client(port: port)
                try client.sendRequest()
                let status = try client.readAnswer().status
                #expect(status == 404)
                client.finish()
                try client.expectEnd()
            }
        }
        #expect(!hasLeft.withLock { $0 })
    }
}
