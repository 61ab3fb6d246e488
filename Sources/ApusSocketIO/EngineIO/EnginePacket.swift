import Apus

/// A packet of Engine.IO, protocol 4: a type, and mostly nothing else.
package enum EnginePacket: Hashable, Sendable {
    case open
    case close
    /// With what follows the type: empty, or `probe`.
    case ping(Substring)
    case pong(Substring)
    /// Text of the application, or bytes.
    case text(Substring)
    case binary([UInt8])
    case upgrade
    case noop

    var isClose: Bool { if case .close = self { true } else { false } }

    /// Reads a packet as it came in a WebSocket message; `nil` where it is none.
    init?(_ message: Message) {
        switch message {
        case .binary(let bytes): self = .binary(Array(bytes))
        case .text(let text): self.init(text[...])
        }
    }

    /// Reads a packet of text.
    init?(_ text: Substring) {
        // By bytes: a character is one with all the combining marks behind it.
        let rest = Substring(text.utf8.dropFirst())
        switch text.utf8.first {
        case UInt8(ascii: "0"): self = .open
        case UInt8(ascii: "1"): self = .close
        case UInt8(ascii: "2"): self = .ping(rest)
        case UInt8(ascii: "3"): self = .pong(rest)
        case UInt8(ascii: "4"): self = .text(rest)
        case UInt8(ascii: "5"): self = .upgrade
        case UInt8(ascii: "6"): self = .noop
        default: return nil
        }
    }
}

/// Packets in the content of an HTTP request or response: joined by the record separator, bytes as Base64 behind `b`.
///
/// What goes out is a list of `Message`: text with its packet's type in front, or bytes; so it is the same thing that a
/// WebSocket sends.
enum EnginePayload {
    private static let separator: UInt8 = 0x1E
    /// Packets in one request, above which it is refused: each costs more memory than its two bytes.
    static let maxPackets = 1 << 16

    /// The packets of a request's content; `nil` where one of them is none, or the text is not UTF-8.
    static func decode(_ bytes: [UInt8]) -> [EnginePacket]? {
        guard !bytes.isEmpty else { return nil }
        var packets: [EnginePacket] = []
        for record in bytes.split(separator: separator, maxSplits: maxPackets, omittingEmptySubsequences: false) {
            guard packets.count < maxPackets, let packet = packet(record) else { return nil }
            packets.append(packet)
        }
        return packets
    }

    private static func packet(_ record: ArraySlice<UInt8>) -> EnginePacket? {
        if record.first == UInt8(ascii: "b") { return Base64.decode(record.dropFirst()).map(EnginePacket.binary) }
        guard let text = String(validating: record, as: UTF8.self) else { return nil }
        return EnginePacket(text[...])
    }

    /// A response's content.
    static func encode(_ messages: [Message]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, message) in messages.enumerated() {
            if index > 0 { bytes.append(separator) }
            switch message {
            case .text(let text): bytes += text.utf8
            case .binary(let binary):
                bytes.append(UInt8(ascii: "b"))
                Base64.encode(Array(binary), into: &bytes)
            }
        }
        return bytes
    }
}
