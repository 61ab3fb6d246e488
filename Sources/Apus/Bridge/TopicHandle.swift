import CApus

/// Owns a reference to an `apus_topic`.
final class TopicHandle: Sendable {
    private nonisolated(unsafe) let pointer: OpaquePointer

    /// `apus_topic_new`
    init(loops: [EventLoop]) {
        let pointers: [OpaquePointer] = loops.map(\.handle.pointer)
        guard let pointer = apus_topic_new(pointers, pointers.count) else {
            preconditionFailure("apus: memory is out while making a topic")
        }
        self.pointer = pointer
    }

    deinit { apus_topic_release(pointer) }

    /// `apus_topic_publish`
    func publish(isText: Bool, _ bytes: UnsafeRawBufferPointer, except: UInt64?) {
        let opcode = isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY
        let data = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let error = apus_topic_publish(pointer, opcode, data, bytes.count, except ?? 0)
        // Swift's own allocations end the process when memory is out; a message lost in silence would be worse.
        precondition(error == 0, "apus: memory is out while publishing")
    }

    /// `apus_topic_share`
    func share(_ publication: OpaquePointer, except: UInt64?) {
        let error = apus_topic_share(pointer, publication, except ?? 0)
        precondition(error == 0, "apus: memory is out while publishing")
    }

    /// `apus_topic_subscribe`; on the connection's loop.
    func subscribe(_ socket: WebSocket) {
        guard let connection = socket.handle else { return }
        let error = apus_topic_subscribe(pointer, connection.pointer)
        precondition(error != APUS_EINVAL.rawValue, "a connection can subscribe only to topics of its own server")
        precondition(error != APUS_ENOMEM.rawValue, "apus: memory is out while subscribing")
    }

    /// `apus_topic_unsubscribe`; on the connection's loop.
    func unsubscribe(_ socket: WebSocket) {
        guard let connection = socket.handle else { return }
        apus_topic_unsubscribe(pointer, connection.pointer)
    }

    /// `apus_topic_subscribers`
    var subscriberCount: Int { apus_topic_subscribers(pointer) }
}
