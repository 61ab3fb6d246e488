import Testing

@testable import ApusSocketIO

struct RecoveryMemoryTests {
    private static let start = ContinuousClock.now

    /// Remembers events with such contents, a second apart; their offsets.
    private func record(_ contents: [JSON], in memory: inout RecoveryMemory) -> [String] {
        contents.enumerated().map { number, content in
            var packet = SocketPacket(kind: .event, namespace: "/", data: .array([.string("said"), content]))
            memory.record(&packet, to: Audience(), now: Self.start + .seconds(number))
            return packet.data?.array?.last?.string ?? ""
        }
    }

    /// What a client gets that was lost when it had heard up to `offset`; `nil` where it cannot come back.
    private func missed(since offset: String, in memory: RecoveryMemory, after seconds: Int = 0) -> [JSON]? {
        var memory = memory
        let now = Self.start + .seconds(seconds)
        memory.persist(RecoveredSession(id: "a", privateID: "secret", rooms: [], data: .null), now: now)
        return memory.restore(privateID: "secret", offset: offset, now: now)?.missed.map { $0.content[1] }
    }

    private static func numbers(_ range: Range<Int>) -> [JSON] { range.map { .number(.init($0)) } }

    @Test func `one who comes back hears what came behind the last it heard, once`() throws {
        var memory = RecoveryMemory(.init())
        let offsets = record(Self.numbers(0..<5), in: &memory)
        #expect(missed(since: offsets[1], in: memory) == Self.numbers(2..<5))
        #expect(missed(since: offsets[4], in: memory) == [])
        #expect(missed(since: "unknown", in: memory) == nil)
        memory.persist(RecoveredSession(id: "a", privateID: "secret", rooms: [], data: .null), now: Self.start)
        #expect(memory.restore(privateID: "secret", offset: offsets[0], now: Self.start) != nil)
        #expect(memory.restore(privateID: "secret", offset: offsets[0], now: Self.start) == nil)
    }

    @Test func `more events than are to be remembered push out the older half`() {
        var memory = RecoveryMemory(.init(maxPackets: 10))
        let offsets = record(Self.numbers(0..<10), in: &memory)
        #expect(missed(since: offsets[0], in: memory) == Self.numbers(1..<10))
        let last = record(Self.numbers(10..<11), in: &memory)
        #expect(missed(since: offsets[5], in: memory) == nil)
        #expect(missed(since: offsets[6], in: memory) == Self.numbers(7..<11))
        #expect(missed(since: last[0], in: memory) == [])
    }

    @Test func `more bytes than are to be remembered push out the older half, attachments and nested texts included`() {
        let large: [JSON] = [
            .binary([UInt8](repeating: 7, count: 1000)), .string(String(repeating: "x", count: 1000)),
            .array([.object(.init([.init(key: String(repeating: "k", count: 1000), value: .bool(true))]))]),
        ]
        for content in large {
            var memory = RecoveryMemory(.init(maxBytes: 10_500))
            let offsets = record(Array(repeating: content, count: 10), in: &memory)
            #expect(missed(since: offsets[0], in: memory)?.count == 9)
            let last = record([content], in: &memory)
            #expect(missed(since: offsets[5], in: memory) == nil)
            #expect(missed(since: offsets[7], in: memory)?.count == 3)
            #expect(missed(since: last[0], in: memory) == [])
        }
    }

    @Test func `an event that is more than all that is to be remembered is not`() {
        var memory = RecoveryMemory(.init(maxBytes: 100))
        let offsets = record([.string("small"), .binary([UInt8](repeating: 7, count: 1000))], in: &memory)
        #expect(missed(since: offsets[0], in: memory) == nil)
        #expect(missed(since: offsets[1], in: memory) == nil)
        let next = record(Self.numbers(0..<2), in: &memory)
        #expect(missed(since: next[0], in: memory) == Self.numbers(1..<2))
    }

    @Test func `what is out of its time is forgotten`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100)))
        let offsets = record(Self.numbers(0..<400), in: &memory)
        #expect(missed(since: offsets[0], in: memory, after: 400) == nil)
        #expect(missed(since: offsets[398], in: memory, after: 400) == Self.numbers(399..<400))
    }
}
