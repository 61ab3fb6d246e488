import Apus
import Testing

@testable import ApusSocketIO

struct EnginePayloadTests {
    private static func decode(_ text: String) -> [EnginePacket]? { EnginePayload.decode(Array(text.utf8)) }

    @Test func `every type of packet is read`() {
        let packets = Self.decode("0\u{1E}1\u{1E}2\u{1E}2probe\u{1E}3\u{1E}4text\u{1E}bAQI=\u{1E}5\u{1E}6")
        #expect(
            packets == [
                .open, .close, .ping(""), .ping("probe"), .pong(""), .text("text"), .binary([1, 2]),
                .upgrade, .noop,
            ])
    }

    @Test(arguments: ["", "\u{1E}", "4\u{1E}", "\u{1E}4", "7", "x", "bA", "b?", "4a\u{1E}\u{1E}4b"])
    func `one record that is no packet spoils all`(text: String) {
        #expect(Self.decode(text) == nil)
    }

    @Test func `text must be UTF-8`() {
        #expect(EnginePayload.decode([0x34, 0xFF]) == nil)
        #expect(EnginePayload.decode([0x34, 0xED, 0xA0, 0x80]) == nil)
    }

    @Test func `more packets than any client sends at once are refused`() {
        let most = Array(repeating: "4", count: EnginePayload.maxPackets).joined(separator: "\u{1E}")
        #expect(Self.decode(most)?.count == EnginePayload.maxPackets)
        #expect(Self.decode(most + "\u{1E}4") == nil)
    }

    @Test func `what is written is read as it was`() {
        let messages: [Message] = [.text("4a"), .binary([0, 255]), .text("4é"), .binary([UInt8]()), .text("2")]
        let payload = EnginePayload.encode(messages)
        #expect(payload == Array("4a\u{1E}bAP8=\u{1E}4é\u{1E}b\u{1E}2".utf8))
        #expect(EnginePayload.decode(payload) == [.text("a"), .binary([0, 255]), .text("é"), .binary([]), .ping("")])
    }

    @Test func `a payload that is cut anywhere is read or refused, and never read as more`() {
        let payload = Array("4one\u{1E}bAQIDBA==\u{1E}4zwei ü\u{1E}2".utf8)
        for end in 0...payload.count {
            let packets = EnginePayload.decode(Array(payload[..<end]))
            #expect((packets?.count ?? 0) <= 4)
        }
    }
}
