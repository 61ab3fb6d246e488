/// What the server still has to tell one client, in order.
///
/// Rooms, the journal and the visitor put events in; one task of the connection takes them out and sends them. So the
/// order in which a room's turns post is the order on the wire, and a client that reads slowly keeps nobody waiting:
/// past the limit its connection is closed, and it catches up when it comes again.
struct Outbox: Sendable {
    /// The most bytes that wait for one client. What is for many is counted in full for each, though it is kept once.
    static let limit = 4 << 20

    /// The bytes above which a client's own questions have to wait.
    static let capacity = 64 << 10

    private let mailbox: Mailbox<Outgoing>

    /// Creates an outbox that is given up above `limit` bytes, when `onOverflow` is called.
    init(limit: Int = limit, onOverflow: @escaping @Sendable () -> Void = {}) {
        mailbox = Mailbox(capacity: Self.capacity, limit: limit, cost: \.size, onOverflow: onOverflow)
    }

    /// Posts an event, without waiting.
    func post(_ event: ServerEvent) { mailbox.post(Outgoing(event, isForMany: false)) }

    /// Posts an event that a room, say, has made once for all its members.
    func post(_ event: Outgoing) { mailbox.post(event) }

    /// Posts an event and waits while the client is far behind, for one of many pages.
    ///
    /// Returns whether there is any use in posting more.
    @discardableResult
    func put(_ event: ServerEvent) async -> Bool { await mailbox.put(Outgoing(event, isForMany: false)) }

    /// Waits while the client is far behind; returns whether the outbox is still open.
    @discardableResult
    func hasRoom() async -> Bool { await mailbox.hasRoom() }

    /// Takes out the events to send next, not many more than `capacity` bytes; nil when there will be no more.
    func next() async -> [Outgoing]? { await mailbox.next(most: Self.capacity) }

    /// Drops what comes from now on.
    func close() { mailbox.close() }
}
