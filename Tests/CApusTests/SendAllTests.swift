import CApus
import CApusCore
import Glibc
import Synchronization
import TestSupport
import Testing

/// Messages that nothing may come between.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SendAllTests {
    /// Calls `apus_connection_send_all` with a text and then bytes.
    private static func send(_ payloads: [[UInt8]], on connection: OpaquePointer) -> CInt {
        let block = payloads.flatMap { $0 }
        return block.withUnsafeBufferPointer { block in
            var start = 0
            let messages = payloads.enumerated().map { index, payload in
                defer { start += payload.count }
                return apus_outgoing(
                    data: block.baseAddress.map { $0 + start }, len: payload.count,
                    opcode: index == 0 ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY)
            }
            return apus_connection_send_all(connection, messages, messages.count)
        }
    }

    private static func withServer(
        outboundLimit: Int = 1 << 20, onMessage: @escaping @Sendable (Connection) -> Void,
        _ script: (CoreServer, Client) throws -> Void
    ) throws {
        var behaviour = CoreServer.Behaviour()
        behaviour.onMessage = { connection, _, _ in onMessage(connection) }
        let server = try CoreServer({ $0.endpoint.outbound_limit = outboundLimit }, behaviour)
        let client = try Client.webSocket(port: server.port, receiveBuffer: 256 << 10)
        try script(server, client)
        client.close()
        server.stop()
    }

    @Test func `all of them arrive, in order, whatever their size`() async throws {
        try await onThread {
            let payloads: [[UInt8]] = [Array("abc".utf8), [], [UInt8](repeating: 7, count: 300_000), [1]]
            try Self.withServer(onMessage: { connection in
                #expect(Self.send(payloads, on: connection.pointer) == 0)
                #expect(Self.send([], on: connection.pointer) == 0)
            }) { _, client in
                try client.send(.text("go"))
                for payload in payloads { #expect(try client.readMessage().payload == payload) }
                try client.closeNormally()
            }
        }
    }

    @Test func `where there is no room for all of them, none is sent`() async throws {
        try await onThread {
            let results = Mutex<[CInt]>([])
            let filler = [UInt8](repeating: 1, count: 8 << 20)
            try Self.withServer(onMessage: { connection in
                let small = [UInt8](repeating: 2, count: 600_000)
                let sent = [
                    Self.send([filler], on: connection.pointer), Self.send([small, small], on: connection.pointer),
                ]
                results.withLock { $0 = sent }
            }) { _, client in
                try client.send(.text("go"))
                while results.withLock({ $0.isEmpty }) { sched_yield() }
                #expect(try client.readMessage().payload == filler)
                try client.closeNormally()
            }
            #expect(results.withLock { $0 } == [0, APUS_EFULL.rawValue])
        }
    }

    @Test func `a connection that is closing takes none`() async throws {
        try await onThread {
            let results = Mutex<[CInt]>([])
            try Self.withServer(onMessage: { connection in
                connection.close()
                let result = Self.send([[65], [66]], on: connection.pointer)
                results.withLock { $0.append(result) }
            }) { _, client in
                try client.send(.text("go"))
                #expect(try client.readClose() == 1000)
            }
            #expect(results.withLock { $0 } == [APUS_ECLOSED.rawValue])
        }
    }

    @Test func `without memory behind the first the connection is dropped`() async throws {
        try await onThread {
            let payloads = [[UInt8](repeating: 1, count: 6 << 20), [UInt8](repeating: 2, count: 6 << 20)]
            for nth in 1...8 as ClosedRange<UInt32> {
                let results = Mutex<[CInt]>([])
                try Self.withServer(
                    outboundLimit: 64 << 20,
                    onMessage: { connection in
                        apus_alloc_fail(nth)
                        let result = Self.send(payloads, on: connection.pointer)
                        apus_alloc_fail(0)
                        results.withLock { $0.append(result) }
                    }
                ) { server, client in
                    try client.send(.text("go"))
                    while results.withLock({ $0.isEmpty }) { sched_yield() }
                }
                #expect([0, APUS_ENOMEM.rawValue].contains(results.withLock { $0[0] }))
            }
        }
    }
}
