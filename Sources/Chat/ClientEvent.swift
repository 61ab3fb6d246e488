import Foundation

/// What a client asks for: one JSON text message each (docs/chat-protocol.md).
///
/// Decoding is strict about types and members, and says in words what is wrong. It does not judge the values: those
/// are checked where they are used, because an invalid name, say, means something else in `hello` than in `name`.
enum ClientEvent: Hashable, Sendable {
    case hello(name: String?)
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
        do {
            self = try JSONDecoder().decode(ClientEvent.self, from: Data(json.utf8))
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal(.badRequest, "a message must be a JSON object with a `type`")
        }
    }
}

extension ClientEvent: Decodable {
    init(from decoder: any Decoder) throws {
        let members = try Members(of: decoder)
        do {
            self = try Self(members)
        } catch {
            throw error.answering(key: members.keyOfSend)
        }
    }

    private init(_ members: Members) throws(Refusal) {
        switch members.type {
        case "hello":
            try members.allow("name")
            self = .hello(name: try members.optional("name"))
        case "name":
            try members.allow("name")
            self = .name(try members.required("name"))
        case "create":
            try members.allow("room")
            self = .create(room: try members.required("room"))
        case "join":
            try members.allow("room", "after")
            self = .join(room: try members.required("room"), after: try members.optional("after"))
        case "leave":
            try members.allow("room")
            self = .leave(room: try members.required("room"))
        case "send":
            try members.allow("room", "key", "text")
            self = .send(
                room: try members.required("room"),
                key: try members.required("key"),
                text: try members.required("text"))
        case "typing":
            try members.allow("room")
            self = .typing(room: try members.required("room"))
        case "history":
            try members.allow("room", "before", "limit")
            self = .history(
                room: try members.required("room"),
                before: try members.required("before"),
                limit: try members.required("limit"))
        case "search":
            try members.allow("query", "room")
            self = .search(query: try members.required("query"), room: try members.optional("room"))
        default:
            throw Refusal(.badRequest, "there is no message of type '\(members.type.prefix(40))'")
        }
    }
}

/// The members of one event's JSON object, read with errors in words.
private struct Members {
    let type: String
    private let container: KeyedDecodingContainer<Name>

    init(of decoder: any Decoder) throws {
        container = try decoder.container(keyedBy: Name.self)
        type = try container.decode(String.self, forKey: Name("type"))
    }

    /// The key by which a client waits for the answer to this `send`, as far as it can be read.
    var keyOfSend: String? {
        guard type == "send" else { return nil }
        // A key that cannot be read is one that the answer has to do without.
        return try? container.decode(String.self, forKey: Name("key"))
    }

    /// Refuses members that the type does not have.
    func allow(_ names: String...) throws(Refusal) {
        for name in container.allKeys.map(\.stringValue) where name != "type" && !names.contains(name) {
            throw Refusal(.badRequest, "`\(type)` has no member `\(name.prefix(40))`")
        }
    }

    func required<Value: JSONWords>(_ name: String) throws(Refusal) -> Value {
        guard let value: Value = try optional(name) else {
            throw Refusal(.badRequest, "`\(type)` needs `\(name)`, \(Value.jsonWords)")
        }
        return value
    }

    func optional<Value: JSONWords>(_ name: String) throws(Refusal) -> Value? {
        do {
            return try container.decodeIfPresent(Value.self, forKey: Name(name))
        } catch {
            throw Refusal(.badRequest, "`\(name)` of `\(type)` must be \(Value.jsonWords)")
        }
    }

    struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

/// A type of member, in the words of an error.
private protocol JSONWords: Decodable {
    static var jsonWords: String { get }
}

extension String: JSONWords {
    fileprivate static var jsonWords: String { "a string" }
}

extension Int: JSONWords {
    fileprivate static var jsonWords: String { "a whole number" }
}

extension Int64: JSONWords {
    fileprivate static var jsonWords: String { "a whole number" }
}
