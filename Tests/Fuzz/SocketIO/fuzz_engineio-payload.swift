import Apus

@testable import ApusSocketIO

/// Checks the reading of what polls and posts carry, with any bytes as content:
///
/// - packets that are messages can be written, and are read again as the same;
/// - none is read out of content that is not UTF-8;
/// - bytes and Base64 are one another's inverse.
@_cdecl("fuzz_engineio_payload")
public func fuzzEngineIOPayload(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(data, count)
    var text: [UInt8] = []
    Base64.encode(bytes, into: &text)
    require(Base64.decode(text[...]) == bytes, "Base64 comes back")
    guard let packets = EnginePayload.decode(bytes) else { return 0 }
    require(String(validating: bytes, as: UTF8.self) != nil, "a payload is UTF-8")
    require(packets.count == bytes.count { $0 == 0x1E } + 1, "each record is a packet")
    let messages = packets.compactMap { packet -> Message? in
        switch packet {
        case .text(let text): .text("4\(text)")
        case .binary(let bytes): .binary(Bytes(bytes))
        case .open, .close, .ping, .pong, .upgrade, .noop: nil
        }
    }
    guard !messages.isEmpty else { return 0 }
    let again = EnginePayload.decode(EnginePayload.encode(messages))
    require(again == packets.filter { $0.isMessage }, "messages are read as they were written")
    return 0
}

extension EnginePacket {
    fileprivate var isMessage: Bool {
        switch self {
        case .text, .binary: true
        case .open, .close, .ping, .pong, .upgrade, .noop: false
        }
    }
}
