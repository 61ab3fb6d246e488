import Foundation
import GRDB

/// What somebody typed into the search field: words that must all occur, in any order, anywhere in a text.
///
/// Nothing in it has a meaning of its own, neither FTS5's operators nor LIKE's wildcards.
struct SearchQuery: Hashable, Sendable {
    /// The words that the index can find.
    ///
    /// It holds every three characters in a row (the trigram tokenizer), because Chinese has no spaces between words.
    let indexed: [String]

    /// The words of one or two characters, for which every text has to be looked at.
    let short: [String]

    init(_ query: String) {
        let words = query.split(whereSeparator: \.isWhitespace).map(String.init)
        indexed = words.filter { $0.unicodeScalars.count >= 3 }
        short = words.filter { $0.unicodeScalars.count < 3 }
    }

    var isEmpty: Bool { indexed.isEmpty && short.isEmpty }

    /// The indexed words as FTS5 string literals, which are implicitly joined by AND; nil where there are none.
    var match: String? {
        guard !indexed.isEmpty else { return nil }
        return indexed.map { "\"" + $0.replacingOccurrences(of: "\"", with: "\"\"") + "\"" }.joined(separator: " ")
    }

    /// The short words as patterns for `LIKE … ESCAPE '\'`.
    var patterns: [String] {
        short.map { word in
            "%" + word.replacing(/[\\%_]/) { "\\" + $0.output } + "%"
        }
    }
}

extension MessageStore {
    /// Finds the newest messages, newest first, in one room or in all.
    ///
    /// Letters match in either case; in words of one or two characters only those of ASCII do (SQLite's LIKE).
    func search(_ query: SearchQuery, room: Int64? = nil, limit: Int = Limits.found) async throws -> [ChatMessage] {
        if query.isEmpty { return [] }
        var conditions: [String] = []
        var arguments = StatementArguments()
        if let match = query.match {
            conditions.append("messageIndex MATCH ?")
            arguments += [match]
        }
        for pattern in query.patterns {
            conditions.append(#"messages.text LIKE ? ESCAPE '\'"#)
            arguments += [pattern]
        }
        if let room {
            conditions.append("messages.roomID = ?")
            arguments += [room]
        }
        let byIndex = query.match != nil
        // The index gives ascending and descending rowids alike, so that a search may stop at the limit. CROSS JOIN
        // keeps SQLite from starting anywhere else.
        let source =
            byIndex ? "FROM messageIndex CROSS JOIN messages ON messages.id = messageIndex.rowid" : "FROM messages"
        let order = byIndex ? "messageIndex.rowid" : "messages.id"
        let sql = """
            SELECT \(Self.columns) \(source) CROSS JOIN rooms ON rooms.id = messages.roomID
            WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(order) DESC LIMIT \(limit)
            """
        return try await pool.read { [arguments] db in
            try Row.fetchAll(db, sql: sql, arguments: arguments).map(ChatMessage.init)
        }
    }
}
