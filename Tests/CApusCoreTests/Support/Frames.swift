import CApusCore
import TestSupport
import Testing

/// A frame's header as RFC 6455 §5.2 draws it; nothing keeps it from being wrong.
struct FrameHeader: Equatable {
    /// Where the length stands: in the second byte, or in two or eight bytes behind it.
    enum LengthForm: CaseIterable {
        case short, bits16, bits64

        /// The only one allowed ("the minimal number of bytes MUST be used").
        static func minimal(for length: UInt64) -> Self {
            length < 126 ? .short : length < 65536 ? .bits16 : .bits64
        }
    }

    var opcode: apus_opcode
    var fin = true
    /// RSV1, RSV2 and RSV3, from 4 to 1.
    var reserved: UInt8 = 0
    var key: [UInt8]?
    var length: UInt64
    var form: LengthForm?

    var bytes: [UInt8] {
        let masked: UInt8 = key == nil ? 0 : 0x80
        let start = [(fin ? 0x80 : 0) | reserved << 4 | UInt8(opcode.rawValue)]
        let rest = key ?? []
        switch form ?? .minimal(for: length) {
        case .short: return start + [masked | UInt8(length)] + rest
        case .bits16: return start + [masked | 126] + bigEndian(length, 2) + rest
        case .bits64: return start + [masked | 127] + bigEndian(length, 8) + rest
        }
    }
}

/// A frame, right or wrong, as a test wants it sent.
struct Frame: Equatable {
    var opcode: apus_opcode
    var payload: [UInt8] = []
    var fin = true
    /// RSV1, RSV2 and RSV3, from 4 to 1.
    var reserved: UInt8 = 0
    /// The form of its length; the minimal one where there is none.
    var form: FrameHeader.LengthForm?
    /// Masked where it must not be, or not masked where it must.
    var isMaskingWrong = false

    static func text(_ text: String, fin: Bool = true) -> Self {
        Self(opcode: APUS_OPCODE_TEXT, payload: Array(text.utf8), fin: fin)
    }

    static func text(_ payload: [UInt8], fin: Bool = true) -> Self {
        Self(opcode: APUS_OPCODE_TEXT, payload: payload, fin: fin)
    }

    static func binary(_ payload: [UInt8], fin: Bool = true) -> Self {
        Self(opcode: APUS_OPCODE_BINARY, payload: payload, fin: fin)
    }

    static func continuation(_ payload: [UInt8], fin: Bool) -> Self {
        Self(opcode: APUS_OPCODE_CONTINUATION, payload: payload, fin: fin)
    }

    static func continuation(_ text: String, fin: Bool) -> Self {
        continuation(Array(text.utf8), fin: fin)
    }

    static func ping(_ payload: [UInt8] = []) -> Self {
        Self(opcode: APUS_OPCODE_PING, payload: payload)
    }

    static func pong(_ payload: [UInt8] = []) -> Self {
        Self(opcode: APUS_OPCODE_PONG, payload: payload)
    }

    /// A Close, with a status code or without.
    static func close(_ code: UInt16? = nil, _ reason: [UInt8] = []) -> Self {
        Self(opcode: APUS_OPCODE_CLOSE, payload: (code.map { bigEndian(UInt64($0), 2) } ?? []) + reason)
    }

    var isControl: Bool { opcode.rawValue >= 8 }

    /// The frame's bytes on the way to `receiver`: masked with `key` if that is a server (§5.1).
    func bytes(to receiver: apus_role, key: [UInt8]) -> [UInt8] {
        let isMasked = (receiver == APUS_ROLE_SERVER) != isMaskingWrong
        let header = FrameHeader(
            opcode: opcode, fin: fin, reserved: reserved, key: isMasked ? key : nil, length: UInt64(payload.count),
            form: form)
        return header.bytes + (isMasked ? masked(payload, with: key) : payload)
    }

    /// Reads the one frame that `bytes` are, on the way to `receiver`; `nil` where they are none that an endpoint
    /// sends by itself: a control frame.
    static func ofControl(_ bytes: [UInt8], to receiver: apus_role) -> (frame: Self, key: [UInt8]?)? {
        let isMasked = receiver == APUS_ROLE_SERVER
        let start = isMasked ? 6 : 2
        guard bytes.count >= start, bytes[0] & 0xf0 == 0x80, bytes[0] & 0x0f >= 8,
            bytes[1] & 0x80 == (isMasked ? 0x80 : 0), bytes[1] & 0x7f < 126, Int(bytes[1] & 0x7f) == bytes.count - start
        else { return nil }
        let key = isMasked ? Array(bytes[2..<6]) : nil
        let payload = Array(bytes[start...])
        let opcode = apus_opcode(rawValue: UInt32(bytes[0] & 0x0f))
        return (Self(opcode: opcode, payload: key.map { masked(payload, with: $0) } ?? payload), key)
    }
}

/// The bytes of frames that one end sends to the other, one behind the other, each masked with a key of its own.
func wire(_ frames: [Frame], to receiver: apus_role) -> [UInt8] {
    var generator = SeededGenerator(seed: 53)
    return frames.flatMap { $0.bytes(to: receiver, key: bigEndian(generator.next(), 4)) }
}

/// The last `count` bytes of a number in network byte order.
func bigEndian(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
}

/// §5.3: byte i meets byte i modulo 4 of the key.
func masked(_ payload: [UInt8], with key: [UInt8]) -> [UInt8] {
    var result = payload
    for index in result.indices {
        result[index] ^= key[index % 4]
    }
    return result
}

/// A masking key as C keeps it: its bytes in wire order, as memcpy reads them.
func maskingKey(_ bytes: [UInt8]?) -> apus_masking_key {
    guard let bytes else { return 0 }
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: apus_masking_key.self) }
}

let bothRoles = [APUS_ROLE_SERVER, APUS_ROLE_CLIENT]

extension apus_role: @retroactive CustomTestStringConvertible {
    /// Who it is.
    public var testDescription: String { self == APUS_ROLE_SERVER ? "server" : "client" }
}

extension apus_opcode: @retroactive CustomTestStringConvertible {
    /// Its name, or its number where it has none.
    public var testDescription: String {
        switch self {
        case APUS_OPCODE_CONTINUATION: "continuation"
        case APUS_OPCODE_TEXT: "text"
        case APUS_OPCODE_BINARY: "binary"
        case APUS_OPCODE_CLOSE: "close"
        case APUS_OPCODE_PING: "ping"
        case APUS_OPCODE_PONG: "pong"
        default: "opcode \(rawValue)"
        }
    }
}
