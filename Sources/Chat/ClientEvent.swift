/// What a client asks for: one JSON text message each (docs/chat-protocol.md).
///
/// Decoding is strict about types and members, and says in words what is wrong. It does not judge the values: those
/// are checked where they are used, because an invalid name, say, means something else in `hello` than in `name`. A
/// value that is too long is cut one character past its limit, so that it is still too long and nothing that handles
/// it works long.
enum ClientEvent: Hashable, Sendable {
    case hello(name: String?, changes: Bool)
    case name(String)
    case create(room: String)
    case join(room: String, after: Int64?)
    case leave(room: String)
    case send(room: String, key: String, text: String)
    case typing(room: String)
    case history(room: String, before: Int64, limit: Int)
    case search(query: String, room: String?)

    /// Decodes one text message.
    init(json: String) throws(Refusal) {
        var members = try Members(json)
        try self.init(&members)
    }

    /// Decodes the members that were read, for tests that look at the work it takes.
    init(_ members: inout Members) throws(Refusal) {
        let keyOfSend = members.keyOfSend
        do {
            self = try Self(any: &members)
        } catch {
            throw error.answering(key: keyOfSend)
        }
    }

    private init(any members: inout Members) throws(Refusal) {
        switch members.type {
        case "hello":
            try members.allow("name", "changes")
            self = .hello(
                name: try members.string("name", most: Limits.rawName),
                changes: try members.boolean("changes") ?? false)
        case "name":
            try members.allow("name")
            self = .name(try members.name("name"))
        case "create":
            try members.allow("room")
            self = .create(room: try members.name("room"))
        case "join":
            try members.allow("room", "after")
            self = .join(room: try members.name("room"), after: try members.number("after"))
        case "leave":
            try members.allow("room")
            self = .leave(room: try members.name("room"))
        case "send":
            try members.allow("room", "key", "text")
            self = .send(
                room: try members.name("room"),
                key: try members.needed("key", members.string("key", most: Limits.key + 1)),
                text: try members.needed("text", members.string("text", most: Limits.text + 1)))
        case "typing":
            try members.allow("room")
            self = .typing(room: try members.name("room"))
        case "history":
            try members.allow("room", "before", "limit")
            self = .history(
                room: try members.name("room"),
                before: try members.needed("before", members.number("before")),
                limit: Int(try members.needed("limit", members.number("limit"))))
        case "search":
            try members.allow("query", "room")
            self = .search(
                query: try members.needed("query", members.string("query", most: Limits.query + 1)),
                room: try members.string("room", most: Limits.rawName))
        default:
            throw Refusal(.badRequest, "there is no message of type '\(members.type.prefix(40))'")
        }
    }
}

/// The members of one event's JSON object, read with errors in words.
struct Members {
    let type: String
    private var reader: EventReader

    init(_ json: String) throws(Refusal) {
        do {
            reader = try EventReader(json)
        } catch {
            throw .noEvent
        }
        guard case .string(let content)? = reader.value("type") else { throw .noEvent }
        type = reader.text(content, most: 41)
    }

    /// How many bytes have been looked at.
    var work: Int { reader.work }

    /// The key by which a client waits for the answer to this `send`, as far as it can be one.
    var keyOfSend: String? {
        mutating get {
            guard type == "send", case .string(let content)? = reader.value("key") else { return nil }
            let key = reader.text(content, most: Limits.key + 1)
            return key.unicodeScalars.count <= Limits.key ? key : nil
        }
    }

    /// Refuses members that the type does not have, and those that come twice.
    func allow(_ names: StaticString...) throws(Refusal) {
        for (index, (name, _)) in reader.members.enumerated() {
            let words = String(decoding: name, as: UTF8.self)
            guard EventReader.isEqual(name, "type") || names.contains(where: { EventReader.isEqual(name, $0) }) else {
                throw Refusal(.badRequest, "`\(type)` has no member `\(words.prefix(40))`")
            }
            guard !reader.members[..<index].contains(where: { $0.name == name }) else {
                throw Refusal(.badRequest, "`\(type)` has the member `\(words)` twice")
            }
        }
    }

    /// The name of a person or a room, which has to be there.
    mutating func name(_ name: StaticString) throws(Refusal) -> String {
        try needed(name, string(name, most: Limits.rawName))
    }

    func needed(_ name: StaticString, _ value: String?) throws(Refusal) -> String {
        guard let value else { throw Refusal(.badRequest, "`\(type)` needs `\(name)`, a string") }
        return value
    }

    func needed(_ name: StaticString, _ value: Int64?) throws(Refusal) -> Int64 {
        guard let value else { throw Refusal(.badRequest, "`\(type)` needs `\(name)`, a whole number") }
        return value
    }

    mutating func string(_ name: StaticString, most: Int) throws(Refusal) -> String? {
        switch reader.value(name) {
        case nil, .null: return nil
        case .string(let content): return reader.text(content, most: most)
        default: throw Refusal(.badRequest, "`\(name)` of `\(type)` must be a string")
        }
    }

    func number(_ name: StaticString) throws(Refusal) -> Int64? {
        switch reader.value(name) {
        case nil, .null: return nil
        case .number(let content):
            if let number = reader.wholeNumber(content) { return number }
        default: break
        }
        throw Refusal(.badRequest, "`\(name)` of `\(type)` must be a whole number")
    }

    func boolean(_ name: StaticString) throws(Refusal) -> Bool? {
        switch reader.value(name) {
        case nil, .null: return nil
        case .boolean(let value): return value
        default: throw Refusal(.badRequest, "`\(name)` of `\(type)` must be true or false")
        }
    }
}

extension Refusal {
    fileprivate static let noEvent = Refusal(.badRequest, "a message must be a JSON object with a `type`")
}
