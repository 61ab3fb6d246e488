import Apus
import Synchronization

/// An event on its way to one client or to many: encoded once, with one copy in memory for all.
///
/// A room with 1,000 members puts the same object into 1,000 outboxes. The first that sends it frames it for all the
/// others, and their connections' queues refer to that frame.
final class Outgoing: Sendable {
    /// The server's limit for what is queued for one connection, beside the outbox. It is small, because what waits
    /// in an outbox costs less.
    static let maxOutboundBytes = 256 << 10

    /// The event as it goes over the wire.
    let json: String
    private let isForMany: Bool
    private let publication = Mutex<Publication?>(nil)

    /// - Parameter isForMany: whether several clients are told the same; what is for one is not worth a frame to share.
    init(_ event: ServerEvent, isForMany: Bool = true) {
        json = event.json
        self.isForMany = isForMany
        MemoryGauge.add(json.utf8.count)
    }

    deinit { MemoryGauge.subtract(json.utf8.count) }

    /// How many bytes it takes.
    var size: Int { json.utf8.count }

    /// Sends it, once the connection has little left to send.
    func send(to socket: WebSocket) async throws(WebSocketError) {
        // A large one would not fit behind what is queued; sent as a text it waits for its turn.
        guard isForMany, size <= Self.maxOutboundBytes / 2 else { return try await socket.send(json) }
        try await socket.send(framed(), atMost: Self.maxOutboundBytes / 2)
    }

    private func framed() -> Publication {
        publication.withLock { publication in
            if let publication { return publication }
            let made = Publication([.text(json)])
            publication = made
            return made
        }
    }
}
