import CApus

/// Owns a reference to an `apus_topic`.
final class TopicHandle: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    /// `apus_topic_new`
    init(loops: [EventLoop]) {
        let pointers: [OpaquePointer] = loops.map(\.handle.pointer)
        guard let pointer = apus_topic_new(pointers, pointers.count) else {
            preconditionFailure("apus: memory is out while making a topic")
        }
        self.pointer = pointer
    }

    deinit { apus_topic_release(pointer) }

    /// Lets each subscription hold a reference to the topic. `apus_topic_set_owner`
    func setOwner(_ topic: Topic) {
        apus_topic_set_owner(
            pointer, Unmanaged.passUnretained(topic).toOpaque(),
            { _ = Unmanaged<Topic>.fromOpaque($0).retain() },
            { Unmanaged<Topic>.fromOpaque($0).release() })
    }

    /// `apus_topic_publish`
    func publish(isText: Bool, _ bytes: UnsafeRawBufferPointer, except: UInt64?) -> PublishResult {
        let opcode = isText ? APUS_OPCODE_TEXT : APUS_OPCODE_BINARY
        let data = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return result(apus_topic_publish(pointer, opcode, data, bytes.count, except ?? 0))
    }

    /// `apus_topic_share`
    func share(_ publication: OpaquePointer, except: UInt64?, wait: PublishWait?) -> PublishResult {
        result(apus_topic_share(pointer, publication, except ?? 0, wait?.pointer))
    }

    private func result(_ error: CInt) -> PublishResult {
        if error == 0 { return .published }
        // Swift's own allocations end the process when memory is out; a message lost in silence would be worse.
        precondition(error == APUS_EFULL.rawValue, "apus: memory is out while publishing")
        return .full
    }

    /// `apus_topic_subscribe`; on the connection's loop.
    func subscribe(_ socket: WebSocket) -> Result<Void, WebSocketError> {
        guard let connection = socket.handle else { return .success(()) }
        switch apus_topic_subscribe(pointer, connection.pointer) {
        case APUS_EINVAL.rawValue:
            return .failure(
                WebSocketError(
                    .invalidArgument, "only a server's connection can subscribe, to topics of its own server"))
        case APUS_ENOMEM.rawValue:
            return .failure(WebSocketError(.outOfResources, "memory is out while subscribing to a topic"))
        default: return .success(())
        }
    }

    /// `apus_topic_unsubscribe`; on the connection's loop.
    func unsubscribe(_ socket: WebSocket) {
        guard let connection = socket.handle else { return }
        apus_topic_unsubscribe(pointer, connection.pointer)
    }

    /// `apus_topic_subscribers`
    var subscriberCount: Int { apus_topic_subscribers(pointer) }
}
