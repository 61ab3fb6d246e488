import CApus
import CApusCore
import Synchronization
import TestSupport
import Testing

/// Every allocation on a connection's way is made to fail once; the connection may end, but nothing else.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct MemoryTests {
    struct Way: CustomTestStringConvertible, Sendable {
        let name: String
        var change: @Sendable (inout apus_listener_config) -> Void = { _ in }
        var behaviour = CoreServer.Behaviour()
        /// What a peer does; it throws where the connection does not serve it.
        let script: @Sendable (Client) throws -> Void
        var testDescription: String { name }
    }

    private struct NotServed: Error {}

    /// ::/0, for as long as the tests run.
    private nonisolated(unsafe) static let everywhere: UnsafePointer<apus_ip_range> = {
        let range = UnsafeMutablePointer<apus_ip_range>.allocate(capacity: 1)
        range.initialize(to: apus_ip_range())
        return UnsafePointer(range)
    }()

    private static func expect(_ condition: Bool) throws {
        if !condition { throw NotServed() }
    }

    static let ways: [Way] = [
        Way(name: "requests in pieces") { client in
            try client.send("GET /one HTTP/1.1\r\nHost: ")
            try client.send("localhost\r\n\r\nGET /two HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try expect(client.readAnswer().text == "/one")
            try expect(client.readAnswer().text == "/two")
        },
        Way(
            name: "content in pieces, and an answer in pieces",
            behaviour: .init(
                onRequest: { connection, _, _ in
                    if connection.begin(200) != 0 || connection.demandBody() != 0 { connection.abort() }
                },
                onBody: { connection in
                    let error = connection.write([UInt8](repeating: 7, count: 40_000))
                    if error != 0 || connection.demandBody() != 0 { connection.abort() }
                },
                onBodyEnd: { connection, _ in if connection.end() != 0 { connection.abort() } })
        ) { client in
            try client.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Enc")
            try client.send("oding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            try expect(client.readAnswer(hasBody: false).status == 200)
            _ = try client.read(through: Array("\r\n0\r\n\r\n".utf8))
        },
        Way(
            name: "behind a proxy",
            change: {
                $0.proxy_protocol = APUS_PROXY_PROTOCOL_REQUIRED
                $0.trusted = everywhere
                $0.trusted_count = 1
            }
        ) { client in
            try client.send("PROXY UNKNO")
            try client.send("WN\r\nGET /one HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try expect(client.readAnswer().text == "/one")
        },
        Way(name: "a refused request") { client in
            try client.send("GET / HTTP/1.1\r\n\r\n")
            try expect(client.readAnswer().status == 400)
        },
        Way(name: "messages, whole and in fragments") { client in
            try client.open()
            try client.send(.text("one"), .text("t", fin: false), .continuation("wo".utf8, fin: true))
            try expect(client.readText() == "one")
            try expect(client.readText() == "two")
            try client.closeNormally()
        },
        Way(
            name: "messages that nobody takes",
            behaviour: .init(
                onRequest: { connection, _, _ in if connection.accept() != 0 { connection.abort() } },
                onEnd: { connection in while connection.next() != nil {} })
        ) { client in
            try client.open()
            try client.send(.text("one"), .binary([2], fin: false), .continuation([2], fin: true), .text("three"))
            try expect(client.closeNormally() == 1000)
        },
        Way(
            name: "a Close whose answer waits",
            change: {
                $0.endpoint.answers_first = true
                $0.endpoint.close_timeout = 100
            },
            behaviour: .init(
                onRequest: { connection, _, _ in if connection.accept() != 0 { connection.abort() } },
                onEnd: { connection in while connection.next() != nil {} })
        ) { client in
            try client.open()
            try client.send(.text("one"), .close(1000, "a reason"))
            try expect(client.readClose(answers: false) == 1000)
        },
        Way(
            name: "more than the socket takes",
            change: { $0.endpoint.outbound_limit = 200_000 },
            behaviour: .init(onMessage: { connection, _, _ in
                while connection.send(APUS_OPCODE_BINARY, [UInt8](repeating: 7, count: 40_000)) == 0 {}
                connection.close()
            })
        ) { client in
            try client.open()
            try client.send(.text("go"))
            try expect(client.readClose() == 1000)
        },
    ]

    @Test(arguments: ways) func `without memory a connection ends, and the next one is served`(_ way: Way) async throws
    {
        let failures = try await onThread {
            let server = try CoreServer(way.change, way.behaviour)
            defer { server.stop() }
            for nth in 1...100 as ClosedRange<UInt32> {
                server.run { apus_alloc_fail(nth) }
                let isServed = Self.isServed(by: server, way)
                server.run { apus_alloc_fail(0) }
                let isServedAgain = Self.isServed(by: server, way)
                guard isServedAgain else { throw NotServed() }
                if isServed { return nth - 1 }
            }
            return 100
        }
        #expect(failures >= 2, "an allocation for the connection, and one for its request")
        #expect(failures < 100)
    }

    /// Whether one connection gets all it asks for; otherwise it has to end, which a script notes by its patience.
    private static func isServed(by server: CoreServer, _ way: Way) -> Bool {
        do {
            let client = try Client(port: server.port, receiveBuffer: 4096)
            defer { client.close() }
            try way.script(client)
            return true
        } catch Client.Failure.timedOut {
            Issue.record("a connection without memory hangs: \(way.name)")
            return false
        } catch {
            return false
        }
    }

    @Test func `an answer that ends with its connection does not look whole where memory ran out`() async throws {
        let content = [UInt8](repeating: 7, count: 8_000_000)
        let lengths = try await onThread {
            let server = try CoreServer(
                { _ in },
                .init(onRequest: { connection, _, _ in
                    guard connection.begin(200) == 0 else { return connection.abort() }
                    // What does not look at errors ends the answer all the same.
                    connection.write(content)
                    connection.end()
                }))
            defer { server.stop() }
            var lengths: [Int?] = []
            while lengths.last != content.count, lengths.count < 100 {
                let nth = UInt32(lengths.count + 1)
                server.run { apus_alloc_fail(nth) }
                lengths.append(try Self.answerLength(from: server))
                server.run { apus_alloc_fail(0) }
            }
            return lengths
        }
        #expect(lengths.count > 2, "allocations for the connection, its request and what the socket does not take")
        #expect(lengths.compactMap(\.self) == [content.count])
    }

    /// How much content an answer has that seems to be whole; `nil` where it does not.
    private static func answerLength(from server: CoreServer) throws -> Int? {
        let client = try Client(port: server.port, receiveBuffer: 4096)
        defer { client.close() }
        do {
            try client.send("GET / HTTP/1.0\r\n\r\n")
            _ = try client.readAnswer(hasBody: false)
            return try client.readToEnd().count
        } catch Client.Failure.timedOut {
            throw NotServed()
        } catch {
            return nil
        }
    }

    @Test func `a listener needs memory, and says when there is none`() throws {
        let loop = try #require(apus_loop_new())
        var descriptor: CInt = -1
        #expect(apus_socket_listen_tcp("127.0.0.1", 0, 1, &descriptor, 1) == 0)
        var config = apus_listener_config()
        apus_listener_config_init(&config)
        var admission = apus_admission()
        var listener: OpaquePointer?
        apus_alloc_fail(1)
        let error = apus_listener_open(&listener, loop, descriptor, &config, &admission, nil)
        apus_alloc_fail(0)
        #expect(error == APUS_ENOMEM.rawValue)
        #expect(listener == nil)
        // The descriptor is still the caller's.
        var address = apus_address()
        #expect(apus_socket_local(descriptor, &address) == 0)
        apus_socket_close(descriptor)
        apus_loop_free(loop)
    }
}
