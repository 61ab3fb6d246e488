import Apus

/// What a client's packets are held to, before anything looks at them.
struct PacketLimits: Sendable {
    var namespaceBytes = 256
    var eventNameBytes = 256
    var attachments = 10
    /// Of the text and all attachments together.
    var packetBytes = 4 << 20
}

/// What is wrong with a packet.
enum PacketFailure: Error, Hashable {
    case malformed
    /// Bytes that no packet has announced, or text where bytes were announced.
    case unexpected
    /// Placeholders that no attachment stands behind.
    case placeholders
    case namespaceTooLong
    case eventNameTooLong
    case tooManyAttachments
    case packetTooLarge

    /// Which setting is exceeded, for the client's close reason and the log; `nil` where the packet is broken.
    var exceededSetting: String? {
        switch self {
        case .malformed, .unexpected, .placeholders: nil
        case .namespaceTooLong: "maxNamespaceBytes"
        case .eventNameTooLong: "maxEventNameBytes"
        case .tooManyAttachments: "maxAttachments"
        case .packetTooLarge: "maxPacketBytes"
        }
    }
}

/// A packet's text, read; its attachments are still to come.
struct SocketPacketHead: Hashable {
    var packet: SocketPacket
    var attachmentCount = 0

    /// Reads the text of a packet, without the digit of Engine.IO.
    init(_ text: some StringProtocol, limits: PacketLimits = .init()) throws(PacketFailure) {
        let bytes = Array(text.utf8)
        guard let digit = bytes.first, digit.isDigit, digit <= UInt8(ascii: "6") else { throw .malformed }
        let number = digit - UInt8(ascii: "0")
        let isBinary = number > 4
        guard let kind = SocketPacket.Kind(rawValue: isBinary ? number - 3 : number) else { throw .malformed }
        packet = SocketPacket(kind: kind)
        var rest = bytes[1...]
        if isBinary {
            guard let count = Self.number(&rest), rest.popFirst() == UInt8(ascii: "-") else { throw .malformed }
            guard count <= limits.attachments else { throw .tooManyAttachments }
            attachmentCount = count
        }
        if rest.first == UInt8(ascii: "/") {
            let name = rest.prefix { $0 != UInt8(ascii: ",") }
            guard name.count <= limits.namespaceBytes else { throw .namespaceTooLong }
            packet.namespace = String(decoding: name, as: UTF8.self)
            rest = rest.dropFirst(name.count + 1)
        }
        if rest.first?.isDigit == true {
            guard let id = Self.number(&rest) else { throw .malformed }
            packet.id = id
        }
        if !rest.isEmpty {
            guard let data = Self.json(bytes, from: rest.startIndex) else { throw .malformed }
            packet.data = data
        }
        try check(limits)
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

    /// Checks that the content is what the kind asks for.
    private func check(_ limits: PacketLimits) throws(PacketFailure) {
        switch (packet.kind, packet.data) {
        case (.connect, nil), (.connect, .object?), (.disconnect, nil): return
        case (.connectError, .string?), (.connectError, .object?): return
        case (.event, .array(let elements)?): try Self.checkName(elements.first, limits)
        case (.acknowledgement, .array?) where packet.id != nil: return
        default: throw .malformed
        }
    }

    private static func checkName(_ value: JSON?, _ limits: PacketLimits) throws(PacketFailure) {
        let name: String
        switch value {
        case .string(let string): name = string
        case .number(let number): name = number.text
        default: throw .malformed
        }
        guard name.utf8.count <= limits.eventNameBytes else { throw .eventNameTooLong }
        guard !SocketPacket.isReserved(name) else { throw .malformed }
    }
}

/// Puts packets together, out of one message of text and those of its attachments.
struct SocketPacketDecoder {
    private let limits: PacketLimits
    private var awaited: SocketPacketHead?
    private var attachments: [[UInt8]] = []
    /// Bytes of the packet that is being put together, as they came.
    private var packetBytes = 0
    /// About as many bytes of memory as the parts of the current packet take up, or those of the last one took.
    private(set) var footprint = 0

    typealias Failure = PacketFailure

    init(limits: PacketLimits = .init()) { self.limits = limits }

    /// Whether attachments of a packet are still to come.
    var isWithinPacket: Bool { awaited != nil }

    /// The packet that a message completes; `nil` where attachments are still missing.
    mutating func decode(_ message: Message) throws(Failure) -> SocketPacket? {
        switch message {
        case .text(let text):
            guard awaited == nil else { throw .unexpected }
            guard text.utf8.count <= limits.packetBytes else { throw .packetTooLarge }
            let head = try SocketPacketHead(text, limits: limits)
            footprint = Self.overhead + (head.packet.data?.footprint ?? 0)
            guard head.attachmentCount > 0 else { return head.packet }
            packetBytes = text.utf8.count
            awaited = head
            return nil
        case .binary(let bytes):
            guard let head = awaited else { throw .unexpected }
            packetBytes += bytes.count
            guard packetBytes <= limits.packetBytes else { throw .packetTooLarge }
            attachments.append(Array(bytes))
            footprint += Self.overhead + bytes.count
            guard attachments.count == head.attachmentCount else { return nil }
            awaited = nil
            defer { attachments = [] }
            var packet = head.packet
            packet.data = try packet.data.map { value throws(Failure) in try fill(value) }
            return packet
        }
    }

    /// What a packet, or an attachment, takes up beside its bytes.
    private static let overhead = 128

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
