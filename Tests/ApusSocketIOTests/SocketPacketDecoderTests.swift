import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// What the decoder refuses before it keeps anything, or before anybody looks for it.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct SocketPacketDecoderTests {
    private static func failure(_ messages: Message..., limits: PacketLimits = .init()) -> PacketFailure? {
        var decoder = SocketPacketDecoder(limits: limits)
        do throws(PacketFailure) {
            for message in messages { _ = try decoder.decode(message) }
            return nil
        } catch {
            return error
        }
    }

    @Test func `a name of a mebibyte of combining marks is refused by its length`() {
        let long = marks(1 << 20)
        for text in ["0/\(long)", "0/\(long),{}", "1/\(long),", "2/\(long),[\"x\"]", "51-/\(long),[\"x\"]"] {
            #expect(Self.failure(.text(text)) == .namespaceTooLong)
        }
        for text in ["2[\"\(long)\"]", "2/chat,12[\"\(long)\",1]", "51-[\"\(long)\"]"] {
            #expect(Self.failure(.text(text)) == .eventNameTooLong)
        }
        #expect(Self.failure(.text("2[\(String(repeating: "1", count: 300))]")) == .eventNameTooLong)
    }

    @Test func `names have their limit to the byte`() {
        let name = String(repeating: "n", count: 256)
        #expect(Self.failure(.text("2[\"\(name)\"]")) == nil)
        #expect(Self.failure(.text("2[\"\(name)n\"]")) == .eventNameTooLong)
        #expect(Self.failure(.text("0/\(name.dropFirst())")) == nil)
        #expect(Self.failure(.text("0/\(name)")) == .namespaceTooLong)
    }

    @Test func `a name that begins with a combining mark stays as it is`() throws {
        #expect(EnginePacket("4\u{301}2"[...]) == .text("\u{301}2"))
        #expect(EnginePacket("2\u{301}"[...]) == .ping("\u{301}"))
        var decoder = SocketPacketDecoder()
        #expect(try decoder.decode("2[\"\u{301}\"]")?.data == ["\u{301}"])
    }

    @Test func `a packet is limited with all its attachments, whichever of them is large`() {
        var limits = PacketLimits()
        limits.packetBytes = 1000
        let head: Message = #"53-["x"]"#
        let (large, small) = (Message.binary(Array(repeating: 1, count: 600)), Message.binary([1]))
        #expect(Self.failure(head, large, small, small, limits: limits) == nil)
        #expect(Self.failure(head, large, large, limits: limits) == .packetTooLarge)
        #expect(Self.failure(head, large, small, large, limits: limits) == .packetTooLarge)
        #expect(Self.failure(head, small, small, small, head, large, small, small, limits: limits) == nil)
        let text = "2[\"x\",\"\(String(repeating: "y", count: 1000))\"]"
        #expect(Self.failure(.text(text), limits: limits) == .packetTooLarge)
    }

    @Test func `attachments have their number`() {
        var limits = PacketLimits()
        limits.attachments = 2
        #expect(Self.failure(#"52-["x"]"#, limits: limits) == nil)
        #expect(Self.failure(#"53-["x"]"#, limits: limits) == .tooManyAttachments)
        #expect(Self.failure(#"599999999999999999999-["x"]"#, limits: limits) == .malformed)
    }

    @Test func `the memory of all parts is counted while they come, and of the whole`() throws {
        var decoder = SocketPacketDecoder()
        _ = try decoder.decode(#"52-["x",{"_placeholder":true,"num":0}]"#)
        #expect(decoder.isWithinPacket)
        let head = decoder.footprint
        #expect(head > 128)
        _ = try decoder.decode(.binary(Array(repeating: 1, count: 50_000)))
        #expect(decoder.footprint >= head + 50_000)
        #expect(try decoder.decode(.binary([1])) != nil)
        #expect(decoder.footprint >= head + 50_001)
        #expect(!decoder.isWithinPacket)
        _ = try decoder.decode(#"2["x"]"#)
        #expect(decoder.footprint < 1000)
    }

    @Test func `many small values count as what they are kept in`() throws {
        var decoder = SocketPacketDecoder()
        _ = try decoder.decode(.text("2[\"x\"" + String(repeating: ",1", count: 10_000) + "]"))
        #expect(decoder.footprint >= 10_000 * MemoryLayout<JSON>.stride)
        let flat = decoder.footprint
        _ = try decoder.decode(.text("2[\"x\"" + String(repeating: ",[1]", count: 10_000) + "]"))
        #expect(decoder.footprint > 2 * flat)
    }
}
