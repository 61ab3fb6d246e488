import GRDB
import TestSupport
import Testing

@testable import Chat

@Suite struct VisitorTests {
    private let temporary: TemporaryStore
    private let services: Visitor.Services

    init() async throws {
        temporary = try await TemporaryStore(rooms: "Tea")
        services = Visitor.Services(
            store: temporary.store,
            journal: Journal(store: temporary.store, logger: quiet),
            directory: try await RoomDirectory(store: temporary.store),
            logger: quiet)
    }

    /// Gives a visitor these texts, ends the visit, and returns all that it was told.
    private func visit(_ texts: String...) async throws -> [Heard] {
        let ears = Ears()
        var visitor = Visitor(services: services, outbox: ears.outbox, address: "192.0.2.1")
        for text in texts { await visitor.receive(text) }
        await visitor.finish()
        services.journal.close()
        await services.journal.run(publish: services.directory.publish, reload: {})
        await visitor.depart()
        return try await ears.all()
    }

    private let hello = #"{"type":"hello","name":"Ann"}"#
    private let join = #"{"type":"join","room":"Tea","after":null}"#

    @Test func `hello comes first, and only once`() async throws {
        let heard = try await visit(join, hello, hello)
        #expect(heard.map(\.type) == ["error", "welcome", "error"])
        #expect(heard[0].words == "the first message must be `hello`")
        #expect(heard[1].name == "Ann")
    }

    @Test(arguments: ["null", "\"\"", "\"  \"", "\"a\\nb\"", "\"\(String(repeating: "x", count: 41))\""])
    func `who says hello without a valid name is a guest with a number`(name: String) async throws {
        let heard = try await visit(#"{"type":"hello","name":\#(name)}"#)
        #expect(try #require(heard.first?.name).wholeMatch(of: /Guest [1-9][0-9]{3}/) != nil)
    }

    @Test func `what a client that has left asked for is no failure of the database`() async throws {
        let (log, ears) = (MemoryLog(), Ears())
        let services = Visitor.Services(
            store: services.store, journal: services.journal, directory: services.directory, logger: log.logger)
        var visitor = Visitor(services: services, outbox: ears.outbox, address: "192.0.2.1")
        await visitor.receive(hello)
        visitor = await Task { [visitor, join] in
            var visitor = visitor
            withUnsafeCurrentTask { $0?.cancel() }
            await visitor.receive(join)
            return visitor
        }.value
        await visitor.depart()
        #expect(log.lines == [])
    }

    @Test func `a protocol error is answered and ends nothing`() async throws {
        let heard = try await visit("nonsense", hello, "[]", #"{"type":"dance"}"#, join)
        #expect(heard.map(\.type) == ["error", "welcome", "error", "error", "history"])
        #expect(heard.compactMap(\.code) == ["bad-request", "bad-request", "bad-request"])
    }

    @Test func `a message is published to its sender and then acknowledged with its id and time`() async throws {
        let heard = try await visit(hello, join, #"{"type":"send","room":"Tea","key":"k","text":"<hi>"}"#)
        #expect(heard.map(\.type) == ["welcome", "history", "message", "sent"])
        let expected = Heard.Message(id: 1, room: "Tea", name: "Ann", text: "<hi>", at: 1_700_000_000_000, key: "k")
        #expect(heard[2].message == expected)
        #expect(heard[3].key == "k")
        #expect(heard[3].id == 1)
        #expect(heard[3].at == 1_700_000_000_000)
    }

    @Test(arguments: [
        (#"{"type":"send","room":"Nowhere","key":"k","text":"x"}"#, "no-such-room"),
        (#"{"type":"send","room":"Tea","key":"k","text":""}"#, "bad-request"),
        (#"{"type":"send","room":"Tea","key":"k","text":"\#(String(repeating: "x", count: 4_001))"}"#, "too-long"),
        (#"{"type":"send","room":"Tea","key":"k"}"#, "bad-request"),
    ])
    func `a message that is refused is answered with its key`(text: String, code: String) async throws {
        let heard = try await visit(hello, text)
        #expect(heard.last?.type == "error")
        #expect(heard.last?.code == code)
        #expect(heard.last?.key == "k")
    }

    @Test func `a message that the database does not take is answered with its key`() async throws {
        try await temporary.store.pool.write { db in try db.drop(table: "messages") }
        let heard = try await visit(hello, #"{"type":"send","room":"Tea","key":"k","text":"x"}"#)
        #expect(heard.last?.code == "unavailable")
        #expect(heard.last?.key == "k")
    }

    @Test func `when the database fails that is said and ends nothing`() async throws {
        try await temporary.store.pool.write { db in try db.drop(table: "messages") }
        let heard = try await visit(hello, join, #"{"type":"name","name":"Bo"}"#)
        #expect(heard.map(\.type) == ["welcome", "error", "named"])
        #expect(heard[1].code == "unavailable")
    }

    @Test func `a new name is in force for what follows, an invalid one changes nothing`() async throws {
        let heard = try await visit(
            hello, join, #"{"type":"name","name":" Bo "}"#, #"{"type":"name","name":""}"#,
            #"{"type":"send","room":"Tea","key":"k","text":"x"}"#)
        #expect(heard.compactMap { $0.type == "named" ? $0.name : nil } == ["Bo"])
        #expect(heard.compactMap(\.code) == ["bad-name"])
        #expect(heard.compactMap(\.message?.name) == ["Bo"])
    }

    @Test func `scrolling back brings a page before an id, and says whether there are older ones`() async throws {
        let ids = try await temporary.add("1", "2", "3", "4")
        let heard = try await visit(hello, #"{"type":"history","room":"Tea","before":\#(ids[3]),"limit":2}"#)
        #expect(heard[1].reason == "back")
        #expect(heard[1].messages?.map(\.text) == ["2", "3"])
        #expect(heard[1].older == true)
        #expect(heard[1].done == nil)
    }

    @Test(arguments: [0, -1, 101])
    func `a page of history has 1 to 100 messages`(limit: Int) async throws {
        let heard = try await visit(hello, #"{"type":"history","room":"Tea","before":9,"limit":\#(limit)}"#)
        #expect(heard.last?.code == "bad-request")
    }

    @Test(arguments: [
        (#"{"type":"search","query":"tea","room":null}"#, ["black tea", "green tea"]),
        (#"{"type":"search","query":"g","room":"Tea"}"#, ["green tea"]),
    ])
    func `a search is answered with its query`(search: String, texts: [String]) async throws {
        try await temporary.add("green tea", "black tea")
        let heard = try await visit(hello, search)
        #expect(heard[1].type == "found")
        #expect(heard[1].messages?.map(\.text) == texts)
        #expect(heard[1].complete == true)
    }

    @Test(arguments: [
        (#"{"type":"search","query":"tea","room":"Nowhere"}"#, "no-such-room"),
        (#"{"type":"search","query":"a\u0000b"}"#, "bad-request"),
    ])
    func `a search in a room that is not, or for U+0000, is refused in words`(search: String, code: String) async throws
    {
        let heard = try await visit(hello, search)
        #expect(heard.last?.code == code)
    }

    @Test func `a sixth new room at once is refused in words, one that there is is not`() async throws {
        let creations = (1...6).map { #"{"type":"create","room":"room \#($0)"}"# }
        let ears = Ears()
        var visitor = Visitor(services: services, outbox: ears.outbox, address: "192.0.2.1")
        for text in [hello] + creations + [#"{"type":"create","room":"Tea"}"#] { await visitor.receive(text) }
        let heard = try await ears.all()
        #expect(heard.map(\.type) == ["welcome"] + Array(repeating: "rooms", count: 5) + ["error", "rooms"])
        #expect(heard[6].code == "too-fast")
    }

    @Test func `who asks for changes is told of the one room that was made`() async throws {
        let heard = try await visit(
            #"{"type":"hello","changes":true}"#, #"{"type":"create","room":"Tee"}"#)
        #expect(heard[1].type == "room-changes")
        #expect(heard[1].rooms?.map(\.name) == ["Tee"])
        #expect(heard[1].gone == [])
    }

    @Test func `a room that one makes can be joined at once`() async throws {
        let heard = try await visit(
            hello, #"{"type":"create","room":"Tee"}"#, #"{"type":"join","room":"Tee","after":null}"#)
        #expect(heard.map(\.type) == ["welcome", "rooms", "history"])
        #expect(heard[1].rooms?.map(\.name) == ["Tea", "Tee"])
    }

    @Test func `who departs leaves all rooms`() async throws {
        let ears = Ears()
        var visitor = Visitor(services: services, outbox: ears.outbox, address: "192.0.2.1")
        for text in [hello, join] { await visitor.receive(text) }
        let room = try await services.directory.room(named: "Tea")
        #expect(await room.announceMembers() == 1)
        await visitor.depart()
        #expect(await room.announceMembers() == 0)
    }

    @Test func `who leaves a room hears no more of it`() async throws {
        let heard = try await visit(
            hello, join, #"{"type":"leave","room":"Tea"}"#, #"{"type":"send","room":"Tea","key":"k","text":"x"}"#)
        #expect(heard.map(\.type) == ["welcome", "history", "sent"])
    }

    @Test func `who departs while a search runs ends it`() async throws {
        let ears = Ears()
        var visitor = Visitor(services: services, outbox: ears.outbox, address: "192.0.2.1")
        await visitor.receive(hello)
        // The connection for searches is busy, so that it does not end before.
        let (isBusy, mayGoOn) = (Blocker(), Blocker())
        let store = temporary.store
        async let busy: Void = onThread {
            try store.searcher.read { _ in
                isBusy.release()
                mayGoOn.wait()
            }
        }
        try await onThread { isBusy.wait() }
        await visitor.receive(#"{"type":"search","query":"x","room":null}"#)
        await visitor.depart()
        mayGoOn.release()
        try await busy
        await visitor.finish()
        #expect(try await ears.next("found").complete == false)
    }
}
