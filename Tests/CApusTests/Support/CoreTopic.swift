import CApus
import CApusCore
import Testing

/// A topic of the core, which is still to be released.
struct CoreTopic: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ loops: OpaquePointer...) throws { pointer = try #require(apus_topic_new(loops, loops.count)) }

    func publish(_ text: String, except: UInt64 = 0) -> CInt {
        let bytes = Array(text.utf8)
        return apus_topic_publish(pointer, APUS_OPCODE_TEXT, bytes, bytes.count, except)
    }

    var subscribers: Int { apus_topic_subscribers(pointer) }
}

extension CoreServer.Behaviour {
    /// Subscribes each connection that it accepts to the topics there are.
    static func subscribing(to topics: @escaping @Sendable () -> [CoreTopic]) -> Self {
        var behaviour = Self()
        let usual = behaviour.onRequest
        behaviour.onRequest = { connection, target, isUpgrade in
            usual(connection, target, isUpgrade)
            for topic in topics() { #expect(apus_topic_subscribe(topic.pointer, connection.pointer) == 0) }
        }
        return behaviour
    }
}
