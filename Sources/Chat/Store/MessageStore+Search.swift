import GRDB

/// What a search has found.
struct SearchResult: Sendable {
    /// Newest first.
    var messages: [ChatMessage] = []
    /// False where the search used up its budget before it had looked at all messages, or had found as many as it may.
    var isComplete = true
}

extension MessageStore {
    /// The most work of one search: a step is a character compared or a row of the index passed. It takes a tenth of
    /// a second or two.
    static let searchBudget = 10_000_000

    /// The steps that reading a message costs besides its characters.
    private static let costOfRow = 50

    /// The ids of the first window; the next ones are twice as large each, up to the largest.
    private static let firstWindow: Int64 = 1_000
    private static let largestWindow: Int64 = 16_000

    /// Finds the newest messages, newest first, in one room or in all.
    ///
    /// Letters match in either case. A search has a connection of its own, which does one at a time, so that nobody
    /// else's reading waits for it. It looks at messages in windows of ids, because SQLite gives control back neither
    /// to us nor to its progress handler while FTS5 looks for the next row; and it stops when `budget` steps are used
    /// up, or the task is cancelled.
    func search(
        _ query: SearchQuery, room: Int64? = nil, limit: Int = Limits.found, budget: Int = searchBudget
    ) async throws -> SearchResult {
        if query.isEmpty { return SearchResult() }
        return try await searcher.read { db in
            try Search(query: query, room: room, limit: limit, budget: budget).run(db)
        }
    }

    /// One search on its way.
    private struct Search {
        let query: SearchQuery
        let room: Int64?
        let limit: Int
        var budget: Int
        private var result = SearchResult()

        init(query: SearchQuery, room: Int64?, limit: Int, budget: Int) {
            (self.query, self.room, self.limit, self.budget) = (query, room, limit, budget)
        }

        consuming func run(_ db: Database) throws -> SearchResult {
            var size = MessageStore.firstWindow
            var last = try newest(db, through: .max)
            while last > 0, result.messages.count < limit {
                let first = max(0, last - size)
                // What the index may have to pass before it finds a row, or finds that there is none.
                budget -= Int(size)
                try look(db, after: first, through: last)
                guard budget > 0 else {
                    result.isComplete = result.messages.count == limit
                    break
                }
                last = try newest(db, through: first)
                size = min(size * 2, MessageStore.largestWindow)
            }
            return result
        }

        private func newest(_ db: Database, through last: Int64) throws -> Int64 {
            try Int64.fetchOne(db, sql: "SELECT max(id) FROM messages WHERE id <= ?", arguments: [last]) ?? 0
        }

        private mutating func look(_ db: Database, after first: Int64, through last: Int64) throws {
            var arguments: StatementArguments = [first, last]
            var condition = ""
            if let room {
                condition += " AND messages.roomID = ?"
                arguments += [room]
            }
            let source: String
            if let match = query.match {
                // CROSS JOIN keeps SQLite from starting anywhere else than at the index.
                source = "messageIndex CROSS JOIN messages ON messages.id = messageIndex.rowid"
                condition = "messageIndex.rowid > ? AND messageIndex.rowid <= ?\(condition) AND messageIndex MATCH ?"
                arguments += [match]
            } else {
                source = "messages"
                condition = "messages.id > ? AND messages.id <= ?\(condition)"
            }
            let statement = try db.cachedStatement(
                sql: """
                    SELECT \(MessageStore.columns) FROM \(source) CROSS JOIN rooms ON rooms.id = messages.roomID
                    WHERE \(condition) ORDER BY \(query.match == nil ? "messages.id" : "messageIndex.rowid") DESC
                    """)
            let rows = try Row.fetchCursor(statement, arguments: arguments)
            while budget > 0, result.messages.count < limit, let row = try rows.next() {
                budget -= MessageStore.costOfRow
                let message = try ChatMessage(row)
                if query.matches(message.text, budget: &budget) { result.messages.append(message) }
            }
        }
    }
}
