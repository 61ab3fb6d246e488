import CApus

/// Messages for many, framed once; owns a reference to an `apus_publication`.
///
/// What protocols upon WebSocket publish where a topic alone does not name who is to get it.
package final class Publication: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Frames messages that nothing may come between; at least one.
    ///
    /// `apus_publication_new`
    package init(_ messages: [Message]) {
        let pointer = withOutgoing(messages) { apus_publication_new($0, $0.count) }
        // Swift's own allocations end the process when memory is out.
        guard let pointer else { preconditionFailure("apus: memory is out while publishing") }
        self.pointer = pointer
    }

    deinit { apus_publication_release(pointer) }

    /// Sends it to all subscribers of a topic; as ``Topic/tryPublish(_:except:)-(String,_)``.
    ///
    /// - Parameter wait: of a task that has waited for this.
    package func tryPublish(on topic: Topic, except: WebSocket? = nil, wait: PublishWait? = nil) -> PublishResult {
        topic.handle.share(pointer, except: except?.id, wait: wait)
    }

    /// Sends it to all subscribers of a topic; as ``Topic/publish(_:except:)-(String,_)``.
    package func publish(on topic: Topic, except: WebSocket? = nil) async throws(WebSocketError) {
        let wait = PublishWait()
        while tryPublish(on: topic, except: except, wait: wait) == .full {
            try await wait.waitForRoom(on: topic, for: self)
        }
    }

    /// Sends it to one connection of a server, as if by a topic; on its loop.
    package func send(to socket: WebSocket) {
        guard let connection = socket.handle else { return }
        apus_publication_send(pointer, connection.pointer)
    }
}
