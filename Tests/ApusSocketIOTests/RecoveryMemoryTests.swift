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

    private static func session(_ id: String, rooms: Set<Name> = [], data: JSON = .null) -> RecoveredSession {
        RecoveredSession(id: id, privateID: "secret of \(id)", rooms: rooms, data: data)
    }

    @Test func `one whose time is over does not come back, and is forgotten when others are lost`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100)))
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        for number in 0..<3 { memory.persist(Self.session("\(number)"), now: Self.start + .seconds(number)) }
        #expect(memory.clientCount == 3)
        #expect(memory.restore(privateID: "secret of 0", offset: offset, now: Self.start + .seconds(100)) != nil)
        #expect(memory.restore(privateID: "secret of 1", offset: offset, now: Self.start + .seconds(102)) == nil)
        #expect(memory.clientCount == 1)
        memory.persist(Self.session("3"), now: Self.start + .seconds(200))
        #expect(memory.clientCount == 1)
        _ = record(Self.numbers(0..<1), in: &memory)
        #expect(memory.clientCount == 1)
    }

    @Test func `the time of one who is lost again begins again`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100)))
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        memory.persist(Self.session("0"), now: Self.start)
        memory.persist(Self.session("0"), now: Self.start + .seconds(90))
        memory.persist(Self.session("1"), now: Self.start + .seconds(150))
        #expect(memory.clientCount == 2)
        #expect(memory.restore(privateID: "secret of 0", offset: offset, now: Self.start + .seconds(160)) != nil)
    }

    @Test func `of more clients than are to be remembered the first are forgotten`() {
        var memory = RecoveryMemory(.init(maxClients: 10))
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        for number in 0..<1000 { memory.persist(Self.session("\(number)"), now: Self.start) }
        #expect(memory.clientCount == 10)
        #expect(memory.restore(privateID: "secret of 989", offset: offset, now: Self.start) == nil)
        #expect(memory.restore(privateID: "secret of 990", offset: offset, now: Self.start) != nil)
    }

    @Test func `what is known of lost clients is limited in bytes, and the last is kept`() {
        var memory = RecoveryMemory(.init(maxBytes: 10_000))
        let large = JSON.string(String(repeating: "x", count: 4000))
        for number in 0..<100 { memory.persist(Self.session("\(number)", data: large), now: Self.start) }
        #expect(memory.clientCount == 2)
        let room = Name(String(repeating: "x", count: 20_000))
        memory.persist(Self.session("rooms", rooms: [room]), now: Self.start)
        #expect(memory.clientCount == 1)
    }

    @Test func `clients that come and go leave nothing behind`() {
        var memory = RecoveryMemory(.init())
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        memory.persist(Self.session("waits"), now: Self.start)
        for number in 0..<10_000 {
            memory.persist(Self.session("\(number)"), now: Self.start)
            #expect(memory.restore(privateID: "secret of \(number)", offset: offset, now: Self.start) != nil)
        }
        #expect(memory.clientCount == 1 && memory.departureCount < 1000)
    }

    @Test func `the memory that is taken up is known, and known to be given back`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100), maxPackets: 1000))
        let large = JSON.binary([UInt8](repeating: 7, count: 10_000))
        _ = record(Array(repeating: large, count: 10), in: &memory)
        #expect((100_000..<110_000).contains(memory.footprint))
        let events = memory.footprint
        for number in 0..<10 { memory.persist(Self.session("\(number)", data: large), now: Self.start) }
        #expect((100_000..<230_000).contains(memory.footprint - events))
        memory.forget(privateID: "secret of 0")
        memory.forget(Audience())
        #expect(memory.footprint == events)
        // Ten thousand later ones push out all those that are large.
        _ = record(Array(repeating: .null, count: 10_000), in: &memory)
        #expect(memory.footprint < 1_000_000 && memory.footprint > 0)
    }

    @Test func `those who are thrown out are forgotten, by their secret or by their rooms`() {
        var memory = RecoveryMemory(.init())
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        for (id, rooms) in [("a", ["x"]), ("b", ["x", "y"]), ("c", []), ("d", ["z"])] as [(String, Set<Name>)] {
            memory.persist(Self.session(id, rooms: rooms), now: Self.start)
        }
        memory.forget(privateID: "secret of d")
        memory.forget(Audience(rooms: ["x", "c"], except: ["y"]))
        let back = ["a", "b", "c", "d"].filter {
            memory.restore(privateID: "secret of \($0)", offset: offset, now: Self.start) != nil
        }
        #expect(back == ["b"])
        memory.persist(Self.session("e"), now: Self.start)
        memory.forget(Audience())
        #expect(memory.clientCount == 0)
    }

    @Test(arguments: ["", "0", "-1", "+1 ", "zz", "3", "99999999999999999999999", "1\u{301}", "\u{661}"])
    func `an offset that is none brings nobody back`(offset: String) {
        var memory = RecoveryMemory(.init())
        _ = record(Self.numbers(0..<2), in: &memory)
        memory.persist(Self.session("a"), now: Self.start)
        #expect(memory.restore(privateID: "secret of a", offset: offset, now: Self.start) == nil)
    }

    @Test func `what is out of its time is forgotten`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100)))
        let offsets = record(Self.numbers(0..<400), in: &memory)
        #expect(missed(since: offsets[0], in: memory, after: 400) == nil)
        #expect(missed(since: offsets[398], in: memory, after: 400) == Self.numbers(399..<400))
    }

    @Test func `what is out of its time is forgotten though nothing follows, but for the last event`() throws {
        let limits = SocketIOServer.Configuration.Recovery(maxDisconnection: .seconds(100))
        var memory = RecoveryMemory(limits)
        #expect(memory.forgetOld(now: Self.start) == nil)
        let offsets = record(Self.numbers(0..<3), in: &memory)
        memory.persist(Self.session("0"), now: Self.start + .seconds(50))
        let full = memory.footprint
        let next = memory.forgetOld(now: Self.start + .seconds(99))
        let due = try #require(next)
        #expect(memory.footprint == full)
        #expect(due <= Self.start + .seconds(101))
        #expect(memory.forgetOld(now: Self.start + .seconds(120)) == Self.start + .seconds(150))
        #expect(memory.footprint < full && memory.clientCount == 1)
        #expect(memory.forgetOld(now: Self.start + .seconds(151)) == nil)
        #expect(memory.clientCount == 0)
        #expect(memory.footprint > 0)
        #expect(missed(since: offsets[1], in: memory, after: 151) == nil)
        #expect(missed(since: offsets[2], in: memory, after: 151) == [])
    }

    @Test func `one who is lost again counts once`() {
        var memory = RecoveryMemory(.init(maxBytes: 10_000))
        let large = JSON.string(String(repeating: "x", count: 4000))
        memory.persist(Self.session("0", data: large), now: Self.start)
        let footprint = memory.footprint
        for _ in 0..<10 { #expect(memory.persist(Self.session("0", data: large), now: Self.start) == 0) }
        #expect(memory.footprint == footprint)
        #expect(memory.persist(Self.session("1", data: large), now: Self.start) == 0)
        #expect(memory.clientCount == 2)
    }

    @Test func `one who has come back takes up no room of the next`() {
        var memory = RecoveryMemory(.init(maxBytes: 10_000))
        let offset = record(Self.numbers(0..<1), in: &memory)[0]
        let large = JSON.string(String(repeating: "x", count: 4000))
        for _ in 0..<10 {
            memory.persist(Self.session("0", data: large), now: Self.start)
            #expect(memory.restore(privateID: "secret of 0", offset: offset, now: Self.start) != nil)
        }
        for id in ["1", "2"] { #expect(memory.persist(Self.session(id, data: large), now: Self.start) == 0) }
        #expect(memory.clientCount == 2)
    }

    @Test func `only those count as forgotten early whose time was not over`() {
        var memory = RecoveryMemory(.init(maxDisconnection: .seconds(100), maxClients: 2))
        for id in ["0", "1"] { #expect(memory.persist(Self.session(id), now: Self.start) == 0) }
        #expect(memory.persist(Self.session("2"), now: Self.start + .seconds(50)) == 1)
        #expect(memory.persist(Self.session("3"), now: Self.start + .seconds(101)) == 0)
        #expect(memory.clientCount == 2)
    }
}
