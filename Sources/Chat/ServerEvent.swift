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
    var json: String { EventWriter.object { write(to: &$0) } }
}

/// A message as it is stored and as every member of its room sees it.
struct ChatMessage: Hashable, Sendable {
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
struct RoomSummary: Hashable, Sendable {
    let name: String
    let members: Int
}

/// Somebody in a room: one connection.
struct MemberSummary: Hashable, Sendable {
    let member: Int
    let name: String
}

/// Earlier messages of a room, ascending.
struct HistoryPage: Sendable {
    /// What the page answers.
    enum Reason: String {
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

extension ServerEvent: EventPart {
    // One line a member: the protocol's table in code, and nothing else in the function.
    func write(to object: inout EventWriter) {
        switch self {
        case .welcome(let name, let member, let rooms):
            object.write("type", "welcome")
            object.write("name", name)
            object.write("member", member)
            object.write("rooms", rooms)
            object.write("textLimit", Limits.text)
        case .rooms(let rooms):
            object.write("type", "rooms")
            object.write("rooms", rooms)
        case .roomChanges(let rooms, let gone):
            object.write("type", "room-changes")
            object.write("rooms", rooms)
            object.write("gone", gone)
        case .history(let page):
            object.write("type", "history")
            page.write(to: &object)
        case .message(let message):
            object.write("type", "message")
            object.write("message", message)
        case .sent(let key, let id, let at):
            object.write("type", "sent")
            object.write("key", key)
            object.write("id", id)
            object.write("at", at)
        case .members(let room, let members):
            object.write("type", "members")
            object.write("room", room)
            object.write("members", members)
        case .typing(let room, let member, let name):
            object.write("type", "typing")
            object.write("room", room)
            object.write("member", member)
            object.write("name", name)
        case .found(let query, let result):
            object.write("type", "found")
            object.write("query", query)
            object.write("messages", result.messages)
            object.write("complete", result.isComplete)
        case .named(let name):
            object.write("type", "named")
            object.write("name", name)
        case .error(let refusal):
            object.write("type", "error")
            refusal.write(to: &object)
        }
    }
}

extension ChatMessage: EventPart {
    func write(to object: inout EventWriter) {
        object.write("id", id)
        object.write("room", room)
        object.write("name", name)
        object.write("text", text)
        object.write("at", at)
        object.write("key", key)
    }
}

extension RoomSummary: EventPart {
    func write(to object: inout EventWriter) {
        object.write("name", name)
        object.write("members", members)
    }
}

extension MemberSummary: EventPart {
    func write(to object: inout EventWriter) {
        object.write("member", member)
        object.write("name", name)
    }
}

extension HistoryPage: EventPart {
    func write(to object: inout EventWriter) {
        object.write("room", room)
        object.write("messages", messages)
        object.write("reason", reason.rawValue)
        if let older { object.write("older", older) }
        if let done { object.write("done", done) }
    }
}

extension Refusal: EventPart {
    func write(to object: inout EventWriter) {
        object.write("code", code.rawValue)
        object.write("words", words)
        if let key { object.write("key", key) }
    }
}
