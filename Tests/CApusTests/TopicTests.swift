import CApus
import CApusCore
import Synchronization
import TestSupport
import Testing

@Suite(.withPeers, .timeLimit(.minutes(5)))
struct TopicTests {
    @Test func `a topic without subscribers takes any message`() throws {
        let loop = try #require(apus_loop_new())
        let topic = try CoreTopic(loop)
        #expect(topic.subscribers == 0)
        #expect(topic.publish("to nobody") == 0)
        #expect(apus_topic_retain(topic.pointer) == topic.pointer)
        apus_topic_release(topic.pointer)
        #expect(topic.publish("still there") == 0)
        apus_topic_release(topic.pointer)
        apus_loop_free(loop)
    }

    @Test func `only a connection of its loops can subscribe, while it is open`() async throws {
        let results = Mutex<[CInt]>([])
        try await onThread {
            let foreign = try #require(apus_loop_new())
            let other = try CoreTopic(foreign)
            var behaviour = CoreServer.Behaviour()
            let usual = behaviour.onRequest
            behaviour.onRequest = { connection, target, isUpgrade in
                let before = apus_topic_subscribe(other.pointer, connection.pointer)
                usual(connection, target, isUpgrade)
                let after = apus_topic_subscribe(other.pointer, connection.pointer)
                apus_topic_unsubscribe(other.pointer, connection.pointer)
                results.withLock { $0 += [before, after] }
            }
            behaviour.onEnd = { connection in
                let late = apus_topic_subscribe(other.pointer, connection.pointer)
                results.withLock { $0.append(late) }
            }
            let server = try CoreServer({ _ in }, behaviour)
            let client = try Client.webSocket(port: server.port)
            try client.closeNormally()
            client.close()
            server.stop()
            apus_topic_release(other.pointer)
            apus_loop_free(foreign)
        }
        let (closed, invalid) = (APUS_ECLOSED.rawValue, APUS_EINVAL.rawValue)
        #expect(results.withLock { $0 } == [closed, invalid, closed])
    }

    @Test func `a subscription holds its topic, and ends with its connection`() async throws {
        try await onThread {
            let topics = Mutex<[CoreTopic]>([])
            let server = try CoreServer({ _ in }, .subscribing { topics.withLock { $0 + $0 } })
            for _ in 1...3 { try topics.withLock { $0.append(try CoreTopic(server.loop)) } }
            let all = topics.withLock { $0 }
            let clients = try (0..<10).map { _ in try Client.webSocket(port: server.port) }
            #expect(all.map(\.subscribers) == [10, 10, 10])
            // In the middle of each topic's list, and at its ends.
            for index in [4, 0, 9] {
                try clients[index].closeNormally()
                clients[index].close()
            }
            while all.map(\.subscribers) != [7, 7, 7] {}
            for topic in all { #expect(topic.publish("once") == 0) }
            for index in [1, 2, 3, 5, 6, 7, 8] {
                for _ in 1...3 { #expect(try clients[index].readText() == "once") }
            }
            // The subscriptions are what holds them now.
            for topic in all { apus_topic_release(topic.pointer) }
            for client in clients { client.close() }
            server.stop()
        }
    }

    @Test func `what was published before a subscription does not arrive, though its loop hears of it later`()
        async throws
    {
        try await onThread {
            let (hasCome, mayGoOn) = (Blocker(), Blocker())
            let topics = Mutex<CoreTopic?>(nil)
            var behaviour = CoreServer.Behaviour()
            let usual = behaviour.onRequest
            behaviour.onRequest = { connection, target, isUpgrade in
                usual(connection, target, isUpgrade)
                guard let topic = topics.withLock({ $0 }) else { return }
                if target == "/late" {
                    hasCome.release()
                    mayGoOn.wait()
                }
                #expect(apus_topic_subscribe(topic.pointer, connection.pointer) == 0)
                if target == "/late" { #expect(topic.publish("at once") == 0) }
            }
            let server = try CoreServer({ _ in }, behaviour)
            let topic = try CoreTopic(server.loop)
            topics.withLock { $0 = topic }
            let early = try Client.webSocket(port: server.port)
            let late = try Client(port: server.port)
            try late.sendHandshake("/late")
            hasCome.wait()
            // The loop takes it up only after the call that it is in.
            #expect(topic.publish("before") == 0)
            mayGoOn.release()
            _ = try late.readAnswer()
            #expect(try late.readText() == "at once")
            #expect(topic.publish("after") == 0)
            #expect(try late.readText() == "after")
            let texts = try (0..<3).map { _ in try early.readText() }
            #expect(texts == ["at once", "before", "after"])
            for client in [early, late] {
                try client.closeNormally()
                client.close()
            }
            server.stop()
            apus_topic_release(topic.pointer)
        }
    }

    @Test func `without memory nobody is subscribed, and nothing published`() async throws {
        try await onThread {
            let topics = Mutex<CoreTopic?>(nil)
            let results = Mutex<[CInt]>([])
            var behaviour = CoreServer.Behaviour()
            let usual = behaviour.onRequest
            behaviour.onRequest = { connection, target, isUpgrade in
                usual(connection, target, isUpgrade)
                guard let topic = topics.withLock({ $0 }) else { return }
                for nth in 1...3 as ClosedRange<UInt32> {
                    apus_alloc_fail(nth)
                    let error = apus_topic_subscribe(topic.pointer, connection.pointer)
                    apus_alloc_fail(0)
                    results.withLock { $0.append(error) }
                }
            }
            let server = try CoreServer({ _ in }, behaviour)
            apus_alloc_fail(1)
            #expect(apus_topic_new([server.loop], 1) == nil)
            apus_alloc_fail(0)
            let topic = try CoreTopic(server.loop)
            topics.withLock { $0 = topic }
            let client = try Client.webSocket(port: server.port)
            let none = APUS_ENOMEM.rawValue
            #expect(results.withLock { $0 } == [none, none, 0])
            #expect(topic.subscribers == 1)
            for nth in 1...3 as ClosedRange<UInt32> {
                apus_alloc_fail(nth)
                #expect(topic.publish("\(nth)") == (nth < 3 ? none : 0))
                apus_alloc_fail(0)
            }
            #expect(try client.readText() == "3")
            try client.closeNormally()
            client.close()
            server.stop()
            apus_topic_release(topic.pointer)
        }
    }
}
