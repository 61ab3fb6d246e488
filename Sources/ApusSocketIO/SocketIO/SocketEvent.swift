import Apus
import Synchronization

/// An event that a client has emitted.
public struct SocketEvent: Sendable {
    /// Its name.
    public let name: String
    /// What follows the name, as it came; bytes stand where their placeholders stood.
    public let arguments: [JSON]
    let acknowledgement: Acknowledgement?

    /// Whether the client waits for an acknowledgement.
    public var wantsAcknowledgement: Bool { acknowledgement != nil }

    /// Acknowledges the event with any values; the first time, and where the client asked for it.
    ///
    /// - Throws: `EncodingError` for a value, or ``SocketIOError``: `disconnected`, `tooManyAttachments`.
    public func acknowledge<each Value: Encodable>(_ values: repeat each Value) async throws {
        var arguments: [JSON] = []
        for value in repeat each values { arguments.append(try JSON(encoding: value)) }
        try await acknowledge(arguments: arguments)
    }

    /// Acknowledges the event with arguments that are passed on as they are.
    public func acknowledge(arguments: [JSON]) async throws { try await acknowledgement?.send(arguments) }

    /// An argument as a value; one that is missing is null.
    ///
    /// - Throws: `DecodingError` where it is of another type.
    public func argument<T: Decodable>(_ index: Int, as type: T.Type = T.self) throws -> T {
        try (arguments.indices.contains(index) ? arguments[index] : .null).decoded()
    }
}

/// The one answer that a client waits for.
final class Acknowledgement: Sendable {
    private let socket: Socket
    private let id: Int
    private let isSent = Atomic(false)

    init(_ id: Int, of socket: Socket) {
        self.id = id
        self.socket = socket
    }

    func send(_ arguments: [JSON]) async throws {
        guard !isSent.exchange(true, ordering: .relaxed) else { return }
        var packet = SocketPacket(kind: .acknowledgement, namespace: socket.namespace.name, id: id)
        packet.data = .array(arguments)
        try await socket.client.session.send(try packet.checked())
    }
}

extension SocketPacket {
    /// The packet encoded, if it has no more attachments than a client takes.
    func checked() throws(SocketIOError) -> [Message] {
        let messages = encoded()
        try Self.check(attachments: messages.count - 1)
        return messages
    }

    /// Throws where it has more attachments than a client takes.
    func checkAttachments() throws(SocketIOError) { try Self.check(attachments: data?.attachmentCount ?? 0) }

    private static func check(attachments count: Int) throws(SocketIOError) {
        guard count > maxAttachments else { return }
        throw SocketIOError(.tooManyAttachments, "\(count) attachments; a packet takes \(maxAttachments)")
    }

    /// An event's packet, unless its name is Socket.IO's own.
    static func event(
        _ name: String, _ arguments: [JSON], namespace: String, id: Int? = nil
    ) throws(SocketIOError) -> Self {
        guard !isReserved(name) else { throw .reserved(name) }
        return Self(kind: .event, namespace: namespace, id: id, data: .array([.string(name)] + arguments))
    }
}

extension JSON {
    /// How many attachments it travels with.
    fileprivate var attachmentCount: Int {
        switch self {
        case .binary: 1
        case .array(let elements): elements.reduce(0) { $0 + $1.attachmentCount }
        case .object(let object): object.members.reduce(0) { $0 + $1.value.attachmentCount }
        case .null, .bool, .number, .string: 0
        }
    }
}

/// Arguments made of values.
func encodeArguments<each Value: Encodable>(_ values: repeat each Value) throws -> [JSON] {
    var arguments: [JSON] = []
    for value in repeat each values { arguments.append(try JSON(encoding: value)) }
    return arguments
}
