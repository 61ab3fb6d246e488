import Apus
import Testing

@testable import ApusSocketIO

struct SocketPacketTests {
    private static func head(_ text: String) -> SocketPacketHead? {
        do { return try SocketPacketHead(text) } catch { return nil }
    }

    @Test(
        arguments: [
            (#"0"#, SocketPacket(kind: .connect)), (#"0{"a":1}"#, SocketPacket(kind: .connect, data: ["a": 1])),
            ("0/chat,", SocketPacket(kind: .connect, namespace: "/chat")),
            ("0/chat", SocketPacket(kind: .connect, namespace: "/chat")),
            (#"0/chat,{"a":1}"#, SocketPacket(kind: .connect, namespace: "/chat", data: ["a": 1])),
            ("1", SocketPacket(kind: .disconnect)), ("1/chat,", SocketPacket(kind: .disconnect, namespace: "/chat")),
            (#"2["x"]"#, SocketPacket(kind: .event, data: ["x"])),
            (#"212["x",1]"#, SocketPacket(kind: .event, id: 12, data: ["x", 1])),
            (#"2/chat,0["x"]"#, SocketPacket(kind: .event, namespace: "/chat", id: 0, data: ["x"])),
            ("37[]", SocketPacket(kind: .acknowledgement, id: 7, data: [])),
            (#"4{"message":"no"}"#, SocketPacket(kind: .connectError, data: ["message": "no"])),
            ("2[5]", SocketPacket(kind: .event, data: [5])),
        ] as [(String, SocketPacket)])
    func `a packet is read`(text: String, packet: SocketPacket) throws {
        let head = try #require(Self.head(text))
        #expect(head.packet == packet)
        #expect(head.attachmentCount == 0)
    }

    @Test(arguments: [
        "", "x", "7", "9", "2", "2[]", "2{}", "2[{}]", "2[null]", #"2["connect"]"#, #"2["disconnecting"]"#,
        #"2["newListener"]"#, "1[]", "0[]", "3[]", "31{}", "4[]", "4", #"5["x"]"#, #"5-["x"]"#, #"5x-["x"]"#,
        #"511-["x"]"#, #"599999999999999999999-["x"]"#, #"2123456789012345678901["x"]"#, #"2abc["x"]"#, "2/chat,",
    ])
    func `what is no packet is refused`(text: String) {
        #expect(Self.head(text) == nil)
    }

    @Test func `a packet is written as upstream writes it`() {
        func text(_ packet: SocketPacket) -> Message? { packet.encoded().first }
        #expect(text(SocketPacket(kind: .connect, data: ["sid": "a"])) == #"40{"sid":"a"}"#)
        #expect(text(SocketPacket(kind: .disconnect, namespace: "/x")) == "41/x,")
        #expect(text(SocketPacket(kind: .event, namespace: "/x", id: 3, data: ["y", 1])) == #"42/x,3["y",1]"#)
        #expect(text(SocketPacket(kind: .acknowledgement, id: 3, data: [])) == "433[]")
        let binary = SocketPacket(kind: .acknowledgement, namespace: "/x", id: 3, data: [.binary([1]), .binary([2])])
        #expect(
            binary.encoded() == [
                #"462-/x,3[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#, .binary([1]), .binary([2]),
            ])
    }

    @Test func `attachments take the place of their placeholders, wherever they stand`() throws {
        let packet = SocketPacket(
            kind: .event, namespace: "/x", id: 1,
            data: ["x", ["a": [.binary([1]), .binary([])]], .binary([2])])
        var decoder = SocketPacketDecoder()
        let messages = packet.encoded()
        for (index, message) in messages.enumerated() {
            let decoded = try decoder.decode(Self.withoutType(message))
            #expect(decoded == (index == messages.count - 1 ? packet : nil))
        }
        #expect(try decoder.decode(#"2["y"]"#) == SocketPacket(kind: .event, data: ["y"]))
    }

    private static func withoutType(_ message: Message) -> Message {
        guard case .text(let text) = message else { return message }
        return .text(String(text.dropFirst()))
    }

    @Test func `one attachment may stand in several places, or in none`() throws {
        var decoder = SocketPacketDecoder()
        #expect(try decoder.decode(#"51-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#) == nil)
        let twice = try decoder.decode(.binary([7]))
        #expect(twice?.data == ["x", .binary([7]), .binary([7])])
        #expect(try decoder.decode(#"51-["x"]"#) == nil)
        let never = try decoder.decode(.binary([7]))
        #expect(never?.data == ["x"])
        let plain = try decoder.decode(#"2["x",{"_placeholder":true,"num":0}]"#)
        #expect(plain?.data?[1]?["num"] == 0)
    }

    @Test(
        arguments: [
            ([.binary([1])], .unexpected), ([#"51-["x"]"#, #"2["y"]"#], .unexpected), (["abc"], .malformed),
            ([#"51-["x",{"_placeholder":true,"num":1}]"#, .binary([1])], .placeholders),
            ([#"51-["x",{"_placeholder":true,"num":-1}]"#, .binary([1])], .placeholders),
            ([#"51-["x",{"_placeholder":true}]"#, .binary([1])], .placeholders),
        ] as [([Message], PacketFailure)])
    func `what does not fit together is refused`(messages: [Message], failure: PacketFailure) {
        #expect(throws: failure) {
            var decoder = SocketPacketDecoder()
            for message in messages { _ = try decoder.decode(message) }
        }
    }

    @Test func `more attachments than ten are not sent`() throws {
        func packet(_ count: Int) -> SocketPacket {
            SocketPacket(kind: .event, data: .array(["x"] + Array(repeating: .binary([1]), count: count)))
        }
        #expect(try packet(10).checked().count == 11)
        #expect(throws: SocketIOError.self) { try packet(11).checked() }
        #expect(throws: SocketIOError.self) { try SocketPacket.event("disconnect", [], namespace: "/") }
    }

    @Test func `a packet that is cut anywhere is another packet or none`() {
        let text = #"52-/chat,12["x",{"_placeholder":true,"num":0},[1,2,{"a":"ü"}]]"#
        for end in text.indices { #expect(Self.head(String(text[..<end])) == nil, "cut at \(end)") }
    }
}
