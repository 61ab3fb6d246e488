import Apus
import Synchronization
import TestSupport
import Testing

@testable import Chat

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct OutgoingTests {
    @Test func `events of any size wait for a peer that reads late, and all arrive`() async throws {
        let names = (0..<5000).map { RoomSummary(name: "a room of the number \($0)", members: 0) }
        let events = [Outgoing(.rooms(names)), Outgoing(.rooms(Array(names.prefix(1000))))]
        #expect(events[0].size > Outgoing.maxOutboundBytes / 2 && events[1].size < Outgoing.maxOutboundBytes / 2)
        let count = 100
        var configuration = WebSocketServer.Configuration(port: 0)
        configuration.threads = 1
        configuration.shutdownSignals = []
        configuration.maxOutboundBytes = Outgoing.maxOutboundBytes
        configuration.slowConsumerPolicy = .close
        let server = try WebSocketServer(configuration: configuration, logger: quiet)
        let sent = Mutex(0)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        async let serving: Void = server.run(onListening: { port.yield($0.port) }) { socket in
            for number in 0..<count {
                try await events[number % 2].send(to: socket)
                sent.withLock { $0 += 1 }
            }
            for try await _ in socket {}
        }
        for await port in ports {
            let client = try await onThread { try TestSupport.Client.webSocket(port: port, receiveBuffer: 4096) }
            // It reads nothing until the sender has had to wait for a while.
            var (before, turns) = (-1, 0)
            while turns < 1000 {
                await Task.yield()
                let now = sent.withLock(\.self)
                turns = now == before && now > 0 ? turns + 1 : 0
                before = now
            }
            let sizes = try await onThread { try (0..<count).map { _ in try client.readMessage().payload.count } }
            #expect(sizes == (0..<count).map { events[$0 % 2].size })
            client.close()
            break
        }
        server.shutDown()
        try await serving
        #expect(server.statistics.slowConsumersClosed == 0)
    }
}
