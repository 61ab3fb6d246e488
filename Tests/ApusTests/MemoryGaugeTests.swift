import TestSupport
import Testing

@testable import Apus

struct MemoryGaugeTests {
    @Test func `what is reported shows in the statistics of a server, until it is given back`() async {
        // A process of its own: the gauge is the whole process's.
        await #expect(processExitsWith: .success) {
            let large = 16 << 20
            let server = try makeServer()
            let before = MemoryGauge.current
            MemoryGauge.add(large)
            try #require((0..<1 << 20).contains(MemoryGauge.current - before - large))
            try #require((0..<1 << 20).contains(server.statistics.memoryNow - before - large))
            MemoryGauge.subtract(large)
            try #require(MemoryGauge.current - before < 1 << 20)
            try #require(server.statistics.memoryNow - before < 1 << 20)
        }
    }

    @Test func `messages that nobody had taken when the connection went show until they are freed`() async {
        await #expect(processExitsWith: .success) {
            let server = try makeServer()
            let before = MemoryGauge.current
            try await withServer(server) { socket in
                _ = try await socket.next()
                try await until { server.statistics.connectionsNow == 0 }
                let kept = socket.inbound.unreadByteCount
                // What the connection itself had reported it has taken back.
                try #require(kept > 29_000 && MemoryGauge.current - before >= kept)
            } body: { server, port in
                try await onThread {
                    let client = try Client.webSocket(port: port)
                    let text = Frame.text(String(repeating: "x", count: 1000)).bytes
                    try client.send(Array(repeating: text, count: 30).flatMap(\.self))
                    client.close()
                }
                try await until { server.statistics.connectionsAccepted == 1 && server.statistics.connectionsNow == 0 }
            }
            try #require(MemoryGauge.current - before < 20_000)
        }
    }
}
