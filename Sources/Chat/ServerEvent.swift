import Foundation

/// What the server tells a client: one JSON text message each (docs/chat-protocol.md).
enum ServerEvent: Sendable {
    case welcome(name: String, member: Int, rooms: [RoomSummary])
    case rooms([RoomSummary])
    case roomChanges([RoomSummary], gone: [String])
    case history(HistoryPage)
    case message(ChatMessage)
    case sent(key: String, id: Int64, at: Int64)
    case members(room: String, members: [MemberSummary])
    case typing(room: String, member: Int, name: String)
    case found(query: String, SearchResult)
    case named(String)
    case error(Refusal)

    /// The event as it goes over the wire.
    var json: String {
        do {
            return String(decoding: try Self.encoder.encode(self), as: UTF8.self)
        } catch {
            // JSONEncoder fails for numbers that are not finite and for values that throw; an event has neither.
            preconditionFailure("an event of strings and whole numbers did not encode: \(error)")
        }
    }

    // Never changed after this line, so that any thread may encode with it.
    private static let encoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return encoder
    }()
}

/// A message as it is stored and as every member of its room sees it.
struct ChatMessage: Hashable, Sendable, Encodable {
    /// Ascending over the whole database, never used twice.
    let id: Int64
    let room: String
    /// The sender's nickname when it was sent.
    let name: String
    let text: String
    /// When it was stored, in milliseconds since 1970.
    let at: Int64
    /// The sender's key for it.
    let key: String
}

/// A room in the list of rooms.
struct RoomSummary: Hashable, Sendable, Encodable {
    let name: String
    let members: Int
}

/// Somebody in a room: one connection.
struct MemberSummary: Hashable, Sendable, Encodable {
    let member: Int
    let name: String
}

/// Earlier messages of a room, ascending.
struct HistoryPage: Sendable, Encodable {
    /// What the page answers.
    enum Reason: String, Encodable {
        case join
        case catchUp = "catch-up"
        case back
    }

    let room: String
    let messages: [ChatMessage]
    let reason: Reason
    /// Whether the room has messages before these; nil in a catch-up, where the client has them.
    var older: Bool?
    /// Whether all that follows is live; nil for a page of `history`.
    var done: Bool?
}

extension ServerEvent: Encodable {
    private enum Member: String, CodingKey {
        case type, name, member, rooms, textLimit, room, messages, reason, older, done, message, key, id, at, members
        case query, complete, code, words, gone
    }

    // One line a member: the protocol's table in code, and nothing else in the function.
    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: Member.self)
        switch self {
        case .welcome(let name, let member, let rooms):
            try object.encode("welcome", forKey: .type)
            try object.encode(name, forKey: .name)
            try object.encode(member, forKey: .member)
            try object.encode(rooms, forKey: .rooms)
            try object.encode(Limits.text, forKey: .textLimit)
        case .rooms(let rooms):
            try object.encode("rooms", forKey: .type)
            try object.encode(rooms, forKey: .rooms)
        case .roomChanges(let rooms, let gone):
            try object.encode("room-changes", forKey: .type)
            try object.encode(rooms, forKey: .rooms)
            try object.encode(gone, forKey: .gone)
        case .history(let page):
            try object.encode("history", forKey: .type)
            try page.encode(to: encoder)
        case .message(let message):
            try object.encode("message", forKey: .type)
            try object.encode(message, forKey: .message)
        case .sent(let key, let id, let at):
            try object.encode("sent", forKey: .type)
            try object.encode(key, forKey: .key)
            try object.encode(id, forKey: .id)
            try object.encode(at, forKey: .at)
        case .members(let room, let members):
            try object.encode("members", forKey: .type)
            try object.encode(room, forKey: .room)
            try object.encode(members, forKey: .members)
        case .typing(let room, let member, let name):
            try object.encode("typing", forKey: .type)
            try object.encode(room, forKey: .room)
            try object.encode(member, forKey: .member)
            try object.encode(name, forKey: .name)
        case .found(let query, let result):
            try object.encode("found", forKey: .type)
            try object.encode(query, forKey: .query)
            try object.encode(result.messages, forKey: .messages)
            try object.encode(result.isComplete, forKey: .complete)
        case .named(let name):
            try object.encode("named", forKey: .type)
            try object.encode(name, forKey: .name)
        case .error(let refusal):
            try object.encode("error", forKey: .type)
            try object.encode(refusal.code, forKey: .code)
            try object.encode(refusal.words, forKey: .words)
            try object.encodeIfPresent(refusal.key, forKey: .key)
        }
    }
}
