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

    /// The most attachments of one packet, either way, as upstream.
    static let maxAttachments = 10

    /// Names that an application cannot emit.
    static let reservedEvents: Set<String> = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
    ]

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

/// A packet's text, read; its attachments are still to come.
struct SocketPacketHead: Hashable {
    var packet: SocketPacket
    var attachmentCount = 0

    /// Reads the text of a packet, without the digit of Engine.IO; `nil` where it is none.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard let digit = bytes.first, digit.isDigit, digit <= UInt8(ascii: "6") else { return nil }
        let number = digit - UInt8(ascii: "0")
        let isBinary = number > 4
        guard let kind = SocketPacket.Kind(rawValue: isBinary ? number - 3 : number) else { return nil }
        packet = SocketPacket(kind: kind)
        var rest = bytes[1...]
        if isBinary {
            guard let count = Self.number(&rest), rest.popFirst() == UInt8(ascii: "-"),
                count <= SocketPacket.maxAttachments
            else { return nil }
            attachmentCount = count
        }
        if rest.first == UInt8(ascii: "/") {
            packet.namespace = String(decoding: rest.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self)
            rest = rest.drop { $0 != UInt8(ascii: ",") }.dropFirst()
        }
        if rest.first?.isDigit == true {
            guard let id = Self.number(&rest) else { return nil }
            packet.id = id
        }
        if !rest.isEmpty {
            guard let data = Self.json(bytes, from: rest.startIndex) else { return nil }
            packet.data = data
        }
        guard isValid else { return nil }
    }

    private static func json(_ bytes: [UInt8], from offset: Int) -> JSON? {
        do { return try JSONParser.parse(bytes, from: offset) } catch { return nil }
    }

    /// A number that `rest` begins with; `nil` where there is none, or it is too large.
    private static func number(_ rest: inout ArraySlice<UInt8>) -> Int? {
        let digits = rest.prefix { $0.isDigit }
        rest = rest.dropFirst(digits.count)
        return Int(String(decoding: digits, as: UTF8.self))
    }

    /// Whether the content is what the kind asks for.
    private var isValid: Bool {
        switch (packet.kind, packet.data) {
        case (.connect, nil), (.connect, .object?), (.disconnect, nil): true
        case (.connectError, .string?), (.connectError, .object?): true
        case (.event, .array(let elements)?): elements.first.map(Self.isEventName) ?? false
        case (.acknowledgement, .array?): packet.id != nil
        default: false
        }
    }

    private static func isEventName(_ value: JSON) -> Bool {
        switch value {
        case .string(let name): !SocketPacket.reservedEvents.contains(name)
        case .number: true
        default: false
        }
    }
}

/// Puts packets together, out of one message of text and those of its attachments.
struct SocketPacketDecoder {
    private var awaited: SocketPacketHead?
    private var attachments: [[UInt8]] = []

    enum Failure: Error, Hashable {
        case malformed
        /// Bytes that no packet has announced, or text where bytes were announced.
        case unexpected
        /// Placeholders that no attachment stands behind.
        case placeholders
    }

    /// The packet that a message completes; `nil` where attachments are still missing.
    mutating func decode(_ message: Message) throws(Failure) -> SocketPacket? {
        switch message {
        case .text(let text):
            guard awaited == nil else { throw .unexpected }
            guard let head = SocketPacketHead(text) else { throw .malformed }
            guard head.attachmentCount > 0 else { return head.packet }
            awaited = head
            return nil
        case .binary(let bytes):
            guard let head = awaited else { throw .unexpected }
            attachments.append(Array(bytes))
            guard attachments.count == head.attachmentCount else { return nil }
            awaited = nil
            defer { attachments = [] }
            var packet = head.packet
            packet.data = try packet.data.map { value throws(Failure) in try fill(value) }
            return packet
        }
    }

    /// The value with attachments in the place of their placeholders.
    private func fill(_ value: JSON) throws(Failure) -> JSON {
        switch value {
        case .array(let elements):
            var filled: [JSON] = []
            for element in elements { filled.append(try fill(element)) }
            return .array(filled)
        case .object(var object):
            if object["_placeholder"] == true {
                guard let index = object["num"]?.int, attachments.indices.contains(index) else { throw .placeholders }
                return .binary(attachments[index])
            }
            for index in object.members.indices { object.members[index].value = try fill(object.members[index].value) }
            return .object(object)
        case .null, .bool, .number, .string, .binary: return value
        }
    }
}
