/// What the server still has to tell one client, in order.
///
/// Rooms, the journal and the visitor put events in; one task of the connection takes them out and sends them. So the
/// order in which a room's turns post is the order on the wire, and a client that reads slowly keeps nobody waiting:
/// past the limit its connection is dropped, and it catches up when it comes again.
struct Outbox: Sendable {
    private let mailbox: Mailbox<String>

    /// Creates an outbox that is given up above `limit` bytes, when `onOverflow` is called.
    init(limit: Int = 4 << 20, onOverflow: @escaping @Sendable () -> Void = {}) {
        mailbox = Mailbox(capacity: limit / 8, limit: limit, cost: \.utf8.count, onOverflow: onOverflow)
    }

    /// Posts an event, without waiting.
    func post(_ event: ServerEvent) { mailbox.post(event.json) }

    /// Posts an event that is encoded already: a room encodes once for all its members.
    func post(json: String) { mailbox.post(json) }

    /// Posts an event and waits while the client is far behind, as befits one of many pages.
    ///
    /// Returns whether there is any use in posting more.
    @discardableResult
    func put(_ event: ServerEvent) async -> Bool { await mailbox.put(event.json) }

    /// Takes out the events to send next; nil when there will be no more.
    func next() async -> [String]? { await mailbox.next() }

    /// Drops what comes from now on.
    func close() { mailbox.close() }
}
