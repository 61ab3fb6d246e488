/// The pages that somebody who joins is told, one after the other.
///
/// Knows no database: pages are read by the caller.
struct Past: Sendable {
    /// Where reading goes on.
    enum Position: Hashable, Sendable {
        /// The newest messages that there are: one page.
        case end
        /// All messages after this id.
        case after(Int64)
    }

    private let room: String
    private let reason: HistoryPage.Reason
    private(set) var position: Position

    /// - Parameters:
    ///   - after: the newest id that the client has. One that has not been given out yet is of another database, such
    ///     as one that was since deleted: the client is told the newest messages, as if it had none.
    ///   - newest: the newest id that was published in the room.
    init(room: String, after: Int64?, newest: Int64) {
        self.room = room
        if let after, after <= newest {
            (reason, position) = (.catchUp, .after(after))
        } else {
            (reason, position) = (.join, .end)
        }
    }

    /// Makes the next page out of what was read at the position, and moves on.
    mutating func next(_ page: Page) -> HistoryPage {
        switch position {
        case .end:
            return HistoryPage(room: room, messages: page.messages, reason: reason, older: page.more, done: true)
        case .after(let id):
            position = .after(page.messages.last?.id ?? id)
            return HistoryPage(room: room, messages: page.messages, reason: reason, older: nil, done: !page.more)
        }
    }
}
