import GRDB

/// Messages of one room, ascending.
struct Page: Sendable {
    var messages: [ChatMessage]
    /// Whether the room has more of them in the direction of reading, within the bounds that were given.
    var more: Bool
}

extension MessageStore {
    /// Reads on from `after` towards the newest, at most up to `through`: the oldest `limit` of them.
    ///
    /// A page also ends, after its first message, where its JSON would pass `Limits.pageBytes`.
    func page(room: Int64, after: Int64, through: Int64, limit: Int = Limits.history) async throws -> Page {
        let condition = "roomID = ? AND messages.id > ? AND messages.id <= ? ORDER BY messages.id"
        return try await page(where: condition, [room, after, through], limit: limit)
    }

    /// Reads back from `before`: the newest `limit` messages with smaller ids.
    ///
    /// Ends early like the other.
    func page(room: Int64, before: Int64, limit: Int) async throws -> Page {
        let condition = "roomID = ? AND messages.id < ? ORDER BY messages.id DESC"
        var page = try await page(where: condition, [room, before], limit: limit)
        page.messages.reverse()
        return page
    }

    /// Reads back from `last`, which is included; else as the one before.
    func page(room: Int64, through last: Int64, limit: Int) async throws -> Page {
        let condition = "roomID = ? AND messages.id <= ? ORDER BY messages.id DESC"
        var page = try await page(where: condition, [room, last], limit: limit)
        page.messages.reverse()
        return page
    }

    private func page(where condition: String, _ arguments: StatementArguments, limit: Int) async throws -> Page {
        try await pool.read { db in
            // One row more than asked for tells whether there are more.
            let sql = "SELECT \(Self.columns) \(Self.source) WHERE \(condition) LIMIT \(limit + 1)"
            let rows = try Row.fetchCursor(db.cachedStatement(sql: sql), arguments: arguments)
            var page = Page(messages: [], more: false)
            var bytes = 0
            while let row = try rows.next() {
                let message = try ChatMessage(row)
                bytes += message.jsonSize
                if page.messages.count == limit || (bytes > Limits.pageBytes && !page.messages.isEmpty) {
                    page.more = true
                    break
                }
                page.messages.append(message)
            }
            return page
        }
    }
}

extension ChatMessage {
    /// About how many bytes the message takes as JSON, rather more than less.
    fileprivate var jsonSize: Int {
        let names = 6 * (room.utf8.count + name.utf8.count + key.utf8.count)
        return text.utf8.reduce(200 + names) { size, byte in
            switch byte {
            case 0..<0x20, 0x7F: size + 6  // \u0001
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): size + 2
            default: size + 1
            }
        }
    }
}
