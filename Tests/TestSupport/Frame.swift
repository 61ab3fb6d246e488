/// A frame as it stands on the wire (RFC 6455 §5.2).
public struct Frame: Equatable, Sendable {
    /// Opcodes (§5.2).
    public enum Opcode {
        /// What follows the first fragment of a message.
        public static let continuation: UInt8 = 0x0
        /// A message of text.
        public static let text: UInt8 = 0x1
        /// A message of bytes.
        public static let binary: UInt8 = 0x2
        /// The closing handshake.
        public static let close: UInt8 = 0x8
        /// Are you there?
        public static let ping: UInt8 = 0x9
        /// Here I am.
        public static let pong: UInt8 = 0xA
    }

    /// What the frame is.
    public var opcode: UInt8
    /// The last, or only, frame of its message.
    public var fin: Bool
    /// RSV1, RSV2 and RSV3, from 4 to 1.
    public var reserved: UInt8
    /// The masking key, where there is one.
    public var key: [UInt8]?
    /// The payload, not masked.
    public var payload: [UInt8]

    /// A masking key like any other.
    public static let someKey: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]

    /// A frame as a client sends it, unless `key` is `nil`.
    public init(
        _ opcode: UInt8, _ payload: some Sequence<UInt8> = [], fin: Bool = true, reserved: UInt8 = 0,
        key: [UInt8]? = Self.someKey
    ) {
        self.opcode = opcode
        self.fin = fin
        self.reserved = reserved
        self.key = key
        self.payload = Array(payload)
    }

    /// A text message in one frame.
    public static func text(_ text: String, fin: Bool = true) -> Self { Self(Opcode.text, text.utf8, fin: fin) }

    /// A binary message in one frame.
    public static func binary(_ bytes: [UInt8], fin: Bool = true) -> Self { Self(Opcode.binary, bytes, fin: fin) }

    /// A further fragment.
    public static func continuation(_ bytes: some Sequence<UInt8>, fin: Bool) -> Self {
        Self(Opcode.continuation, bytes, fin: fin)
    }

    /// A Close, with a code or without.
    public static func close(_ code: UInt16? = nil, _ reason: String = "") -> Self {
        Self(Opcode.close, (code.map { [UInt8($0 >> 8), UInt8($0 & 0xff)] } ?? []) + Array(reason.utf8))
    }

    /// Whether a code stands in a Close, and which one.
    public var closeCode: UInt16? {
        guard opcode == Opcode.close, payload.count >= 2 else { return nil }
        return UInt16(payload[0]) << 8 | UInt16(payload[1])
    }

    /// The payload, or what stands behind a Close's code, as text.
    public var text: String {
        String(decoding: payload.dropFirst(closeCode == nil ? 0 : 2), as: UTF8.self)
    }

    /// The header for a payload of `count` bytes, of the shortest form.
    public func header(count: UInt64) -> [UInt8] {
        let first = (fin ? 0x80 : 0) | reserved << 4 | opcode
        let masked: UInt8 = key == nil ? 0 : 0x80
        let length: [UInt8] =
            switch count {
            case ..<126: [masked | UInt8(count)]
            case ..<65536: [masked | 126, UInt8(count >> 8), UInt8(count & 0xff)]
            default: [masked | 127] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (56 - 8 * $0)) }
            }
        return [first] + length + (key ?? [])
    }

    /// The frame's bytes.
    public var bytes: [UInt8] {
        var bytes = header(count: UInt64(payload.count))
        guard let key else { return bytes + payload }
        bytes.reserveCapacity(bytes.count + payload.count)
        for index in payload.indices { bytes.append(payload[index] ^ key[index & 3]) }
        return bytes
    }
}
