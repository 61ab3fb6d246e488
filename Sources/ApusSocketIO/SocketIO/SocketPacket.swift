import Apus

/// A packet of Socket.IO, protocol 5, with its attachments in place.
struct SocketPacket: Hashable, Sendable {
    enum Kind: UInt8, Hashable, Sendable {
        case connect = 0
        case disconnect = 1
        case event = 2
        case acknowledgement = 3
        case connectError = 4
    }

    /// The most attachments of one packet that is sent, as upstream's clients take them.
    static let maxAttachments = 10

    /// Names that an application cannot emit.
    static let reservedEvents: Set<String> = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
    ]

    /// Whether a name is Socket.IO's own. All of those are short, and no longer one is compared.
    static func isReserved(_ event: String) -> Bool { event.utf8.count <= 16 && reservedEvents.contains(event) }

    var kind: Kind
    var namespace = "/"
    var id: Int?
    var data: JSON?

    /// The packet as messages of Engine.IO: one of text, and one for each attachment.
    func encoded() -> [Message] {
        var content = JSONWriter()
        if let data { content.write(data) }
        let attachments = content.attachments
        var head = JSONWriter()
        head.append(UInt8(ascii: "4"))
        let isBinary = !attachments.isEmpty
        head.append(UInt8(ascii: "0") + kind.rawValue + (isBinary ? 3 : 0))
        if isBinary { head.append("\(attachments.count)-") }
        if namespace != "/" { head.append("\(namespace),") }
        if let id { head.append("\(id)") }
        return [.text(String(decoding: head.bytes + content.bytes, as: UTF8.self))] + attachments.map(Message.binary)
    }
}
