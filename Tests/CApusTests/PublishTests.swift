import CApus
import CApusCore
import CApusInternals
import Glibc
import TestSupport
import Testing

/// A wait for room, which counts how often it was called.
private final class Wait: @unchecked Sendable {
    let pointer = UnsafeMutablePointer<apus_publish_wait>.allocate(capacity: 1)
    let calls = Box<Bool>()

    init() {
        apus_publish_wait_init(
            pointer,
            { argument in
                guard let argument else { return }
                Unmanaged<Wait>.fromOpaque(argument).takeUnretainedValue().calls.put(true)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { pointer.deallocate() }

    var isCalled: Bool { !calls.all.isEmpty }
}

/// What is published where loops have little room.
@Suite(.withPeers, .timeLimit(.minutes(1)))
struct PublishTests {
    /// A server with subscribers to one topic, whose loop has room for so many deliveries from others, and in a turn.
    private struct Room: Sendable {
        let server: CoreServer
        let topic: CoreTopic
        let clients: [Client]

        init(_ count: Int, inbox: UInt64 = .max, turn: UInt64 = .max) throws {
            let topics = Box<CoreTopic>()
            server = try CoreServer({ _ in }, .subscribing { topics.all })
            topic = try CoreTopic(server.loop)
            topics.put(topic)
            clients = try (0..<count).map { [server] _ in try Client.webSocket(port: server.port) }
            server.run { [server] in
                var limits = apus_loop_limits()
                apus_loop_limits_init(&limits)
                limits.inbox_deliveries = inbox
                limits.turn_deliveries = turn
                apus_loop_set_limits(server.loop, &limits)
            }
        }

        var counts: apus_loop_counts {
            var counts = apus_loop_counts()
            apus_loop_count(server.loop, &counts)
            return counts
        }

        func end() {
            for client in clients { client.close() }
            server.stop()
            apus_topic_release(topic.pointer)
        }
    }

    private struct Publication: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ text: String) throws {
            let bytes = Array(text.utf8)
            pointer = try bytes.withUnsafeBufferPointer { bytes in
                var message = apus_outgoing(data: bytes.baseAddress, len: bytes.count, opcode: APUS_OPCODE_TEXT)
                return try #require(apus_publication_new(&message, 1))
            }
        }

        func share(_ topic: CoreTopic, _ wait: Wait? = nil) -> CInt {
            apus_topic_share(topic.pointer, pointer, 0, wait?.pointer)
        }

        func wait(_ topic: CoreTopic, _ wait: Wait) -> Bool { apus_topic_wait(topic.pointer, pointer, wait.pointer) }
    }

    /// Each turn has room for one. Nothing but those that wait wakes the loop for the next ones.
    @Test func `on its own loop each that waits is called in a turn that has room, in order`() async throws {
        try await onThread {
            let room = try Room(1, turn: 1)
            let publication = try Publication("text")
            let waits = (0..<4).map { _ in Wait() }
            let results = Box<CInt>()
            let mustWait = Box<Bool>()
            room.server.run {
                mustWait.put(publication.wait(room.topic, waits[0]))
                results.put(publication.share(room.topic))
                results.put(publication.share(room.topic))
                for wait in waits { mustWait.put(publication.wait(room.topic, wait)) }
                // It came before the others, and was not called yet.
                results.put(publication.share(room.topic))
            }
            #expect(mustWait.all == [false, true, true, true, true])
            #expect(results.all == [0, APUS_EFULL.rawValue, APUS_EFULL.rawValue])
            for (index, wait) in waits.enumerated() {
                while !wait.isCalled { sched_yield() }
                #expect(waits[..<index].allSatisfy { $0.calls.all.count == 1 })
                room.server.run { results.put(publication.share(room.topic, wait)) }
            }
            #expect(results.all.suffix(4) == [0, 0, 0, 0])
            for _ in 0..<5 { #expect(try room.clients[0].readText() == "text") }
            #expect(room.counts.refused == 2)
            #expect(room.counts.delayed == 4)
            room.end()
            apus_publication_release(publication.pointer)
        }
    }

    /// Each turn has room for one. Nothing but those that wait wakes the loop.
    @Test func `all that wait on an idle loop are called, one in each turn, though none uses its room`() async throws {
        try await onThread {
            let room = try Room(1, turn: 1)
            let publication = try Publication("text")
            let waits = (0..<4).map { _ in Wait() }
            let mustWait = Box<Bool>()
            let calledBetween = Box<Int>()
            room.server.run {
                #expect(publication.share(room.topic) == 0)
                for wait in waits { mustWait.put(publication.wait(room.topic, wait)) }
                room.server.post { calledBetween.put(waits.count { $0.isCalled }) }
            }
            while !waits.allSatisfy(\.isCalled) { sched_yield() }
            #expect(mustWait.all == [true, true, true, true])
            #expect(calledBetween.all == [1])
            #expect(waits.allSatisfy { $0.calls.all.count == 1 })
            #expect(try room.clients[0].readText() == "text")
            room.end()
            apus_publication_release(publication.pointer)
        }
    }

    @Test func `from elsewhere one waits until the loop has taken what is on its way`() async throws {
        try await onThread {
            let room = try Room(3, inbox: 3)
            let publication = try Publication("text")
            let (isBusy, mayGoOn, wait) = (Blocker(), Blocker(), Wait())
            room.server.post {
                isBusy.release()
                mayGoOn.wait()
            }
            isBusy.wait()
            #expect(!publication.wait(room.topic, wait))
            #expect(publication.share(room.topic) == 0)
            #expect(room.counts.pending_deliveries == 3)
            #expect(publication.share(room.topic) == APUS_EFULL.rawValue)
            #expect(room.topic.publish("more") == APUS_EFULL.rawValue)
            #expect(room.counts.pending_deliveries == 3)
            #expect(publication.wait(room.topic, wait))
            #expect(!wait.isCalled)
            mayGoOn.release()
            while !wait.isCalled { sched_yield() }
            #expect(publication.share(room.topic, wait) == 0)
            for client in room.clients {
                for _ in 0..<2 { #expect(try client.readText() == "text") }
            }
            room.server.run {}
            #expect(room.counts.pending_deliveries == 0)
            #expect(room.counts.pending_bytes == 0)
            room.end()
            apus_publication_release(publication.pointer)
        }
    }

    @Test func `where one of two loops has no room the other one gets nothing`() async throws {
        try await onThread {
            let topics = Box<CoreTopic>()
            let servers = try (0..<2).map { _ in try CoreServer({ _ in }, .subscribing { topics.all }) }
            let topic = try CoreTopic(servers[0].loop, servers[1].loop)
            topics.put(topic)
            let clients = try servers.map { try Client.webSocket(port: $0.port) }
            servers[1].run {
                var limits = apus_loop_limits()
                apus_loop_limits_init(&limits)
                limits.inbox_deliveries = 1
                apus_loop_set_limits(servers[1].loop, &limits)
            }
            let (isBusy, mayGoOn) = (Blocker(), Blocker())
            servers[1].post {
                isBusy.release()
                mayGoOn.wait()
            }
            isBusy.wait()
            #expect(topic.publish("both") == 0)
            #expect(topic.publish("nobody") == APUS_EFULL.rawValue)
            // From the loop that has room it is the same.
            let results = Box<CInt>()
            servers[0].run { results.put(topic.publish("nobody")) }
            #expect(results.all == [APUS_EFULL.rawValue])
            mayGoOn.release()
            #expect(try clients[1].readText() == "both")
            servers[1].run {}
            #expect(topic.publish("again") == 0)
            #expect(try clients[0].readText() == "both")
            for client in clients {
                #expect(try client.readText() == "again")
                client.close()
            }
            servers[0].run {}
            var counts = apus_loop_counts()
            apus_loop_count(servers[0].loop, &counts)
            #expect(counts.pending_deliveries == 0)
            for server in servers { server.stop() }
            apus_topic_release(topic.pointer)
        }
    }
}
