import Apus
import TestSupport
import Testing

@testable import ApusSocketIO

/// What libFuzzer does for longer (`Tests/Fuzz/SocketIO`): inputs that are nearly right, from a generator whose seed is
/// the test's argument. Whatever is read must be read again as the same from what is written of it.
@Suite(.computing) struct MutationTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var value = state
            value = (value ^ (value >> 33)) &* 0xFF51_AFD7_ED55_8CCD
            return value ^ (value >> 33)
        }
    }

    private static let corpus = [
        #"2["message",1,"2",{"3":[true]}]"#, #"0/custom,{"token":"abc"}"#,
        #"52-789["x",{"_placeholder":true,"num":0}]"#,
        #"3456[1.5e-7,null,"\ud83d\ude00\n"]"#, #"62-/n,1[{"_placeholder":true,"num":1}]"#,
        #"4/random,{"message":"no"}"#,
        "1/custom,", #"2/a,0["\u0000é",-0,[[[]]],{"":{}}]"#,
    ]
    private static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "-", "0", "9", "e", "\\u", "\\ud800", "\u{1E}", "b", "4", "true",
        "null",
        #"{"_placeholder":true,"num":0}"#, "/", "😀", "99999999999999999999",
    ]

    private static func head(_ text: some StringProtocol) -> SocketPacketHead? {
        do { return try SocketPacketHead(text) } catch { return nil }
    }

    private static func mutated(_ input: [UInt8], _ random: inout Random) -> [UInt8] {
        var bytes = input
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where place < bytes.count: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: Array(tokens[Int(random.next() % UInt64(tokens.count))].utf8), at: place)
            case 3: bytes.removeSubrange(place...)
            case 4: bytes += bytes.prefix(place)
            default: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
            }
        }
        return bytes
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `no packet breaks the parser, and what is read is written the same`(seed: UInt64) throws {
        var random = Random(state: seed)
        var understood = 0
        for _ in 0..<4000 {
            let base = Self.corpus[Int(random.next() % UInt64(Self.corpus.count))]
            let text = String(decoding: Self.mutated(Array(base.utf8), &random), as: UTF8.self)
            guard let head = Self.head(text) else { continue }
            understood += 1
            guard head.attachmentCount == 0, case .text(let written)? = head.packet.encoded().first else { continue }
            let again = try #require(Self.head(written.dropFirst()), "\(text) became \(written)")
            #expect(again.packet == head.packet)
        }
        #expect(understood > 100)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `no payload breaks the parser`(seed: UInt64) {
        var random = Random(state: seed &+ 1000)
        let base = Array("4hello\u{1E}bAQIDBA==\u{1E}2probe\u{1E}42[\"x\",1]".utf8)
        var understood = 0
        for _ in 0..<4000 {
            guard let packets = EnginePayload.decode(Self.mutated(base, &random)) else { continue }
            understood += 1
            let messages = packets.compactMap { packet -> Message? in
                switch packet {
                case .text(let text): .text("4\(text)")
                case .binary(let bytes): .binary(bytes)
                default: nil
                }
            }
            guard messages.count == packets.count else { continue }
            #expect(EnginePayload.decode(EnginePayload.encode(messages)) == packets)
        }
        #expect(understood > 100)
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `no order of messages breaks the decoder or the session`(seed: UInt64) {
        var random = Random(state: seed &+ 2000)
        let now = ContinuousClock.now
        for _ in 0..<300 {
            var machine = SessionMachine(transport: .polling, limits: .init(), now: now)
            var decoder = SocketPacketDecoder()
            for step in 0..<40 {
                act(on: &machine, at: now + .seconds(step * Int(random.next() % 3)), &random)
                for action in machine.takeActions() {
                    guard case .deliver(let message) = action else { continue }
                    do { _ = try decoder.decode(message) } catch { decoder = SocketPacketDecoder() }
                }
            }
        }
    }

    private func act(on machine: inout SessionMachine, at now: ContinuousClock.Instant, _ random: inout Random) {
        let base = Array(Self.corpus[Int(random.next() % UInt64(Self.corpus.count))].utf8)
        let message = Message.text("4" + String(decoding: Self.mutated(base, &random), as: UTF8.self))
        switch random.next() % 12 {
        case 0: _ = machine.poll(now: now)
        case 1: machine.pollGone()
        case 2: _ = machine.post([.text("x"), .pong("")], now: now)
        case 3: _ = machine.probeCame(now: now)
        case 4: machine.probeSent("2probe")
        case 5: machine.probeSent("5")
        case 6: machine.probeGone()
        case 7: machine.received(message, now: now)
        case 8: machine.received("3", now: now)
        case 9: _ = machine.send([message])
        case 10: machine.tick(now: now)
        default: machine.received(.binary([1, 2]), now: now)
        }
    }
}
