import GRDB
import Synchronization
import Testing

@testable import Chat

@Suite struct JournalTests {
    /// What a journal did, in order.
    private enum Deed: Equatable {
        case published(Int64)
        case reloaded
        case settled(String, Int64)
        case failed(String)
    }

    private final class Deeds: Sendable {
        private let deeds = Mutex<[Deed]>([])
        func add(_ deed: Deed) { deeds.withLock { $0.append(deed) } }
        var all: [Deed] { deeds.withLock(\.self) }
    }

    private func append(_ key: String, to journal: Journal, _ deeds: Deeds, room: Int64 = 1) async {
        await journal.append(.init(room: .init(id: room, name: "Tea"), name: "Ann", text: key, key: key)) { result in
            switch result {
            case .success(let stored): deeds.add(.settled(key, stored.message.id))
            case .failure: deeds.add(.failed(key))
            }
        }
    }

    private func run(_ journal: Journal, _ deeds: Deeds) async {
        await journal.run(
            publish: { stored in for stored in stored { deeds.add(.published(stored.message.id)) } },
            reload: { deeds.add(.reloaded) })
    }

    @Test func `messages are published when they are stored, before their senders are told`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let (journal, deeds) = (Journal(store: temporary.store, logger: quiet), Deeds())
        await append("a", to: journal, deeds)
        await append("b", to: journal, deeds)
        journal.close()
        await run(journal, deeds)
        #expect(deeds.all == [.published(1), .published(2), .settled("a", 1), .settled("b", 2)])
    }

    @Test func `a key that comes again is answered and not published again`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let (journal, deeds) = (Journal(store: temporary.store, logger: quiet), Deeds())
        for _ in 1...3 { await append("a", to: journal, deeds) }
        journal.close()
        await run(journal, deeds)
        #expect(deeds.all == [.published(1)] + Array(repeating: .settled("a", 1), count: 3))
    }

    @Test func `what cannot be stored is neither published nor acknowledged`() async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let (journal, deeds) = (Journal(store: temporary.store, logger: quiet), Deeds())
        await append("a", to: journal, deeds, room: 99)
        journal.close()
        await run(journal, deeds)
        #expect(deeds.all == [.failed("a")])
    }

    @Test func `a database that an older copy was restored into goes on with ids that ascend, and is read again`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea")
        try await temporary.add("old")
        let copy = try DatabaseQueue(path: temporary.folder.file("copy.sqlite"))
        try temporary.store.pool.backup(to: copy)
        let last = try await temporary.add("a", "b", "c").last
        let restored = try DatabaseQueue(path: temporary.folder.file("chat.sqlite"))
        try copy.backup(to: restored)
        try restored.close()

        let (journal, deeds) = (Journal(store: temporary.store, logger: quiet), Deeds())
        await append("d", to: journal, deeds)
        journal.close()
        await run(journal, deeds)
        let next = try #require(last) + 1
        #expect(deeds.all == [.reloaded, .published(next), .settled("d", next)])
    }

    @Test func `of 1,000 concurrent messages each is stored once, published in the order of ids, in few transactions`()
        async throws
    {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let journal = Journal(store: temporary.store, logger: quiet, capacity: 64)
        let deeds = Deeds()
        let batches = Mutex(0)
        async let running: Void = journal.run(
            publish: { stored in
                batches.withLock { $0 += 1 }
                for stored in stored { deeds.add(.published(stored.message.id)) }
            }, reload: {})
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<50 {
                group.addTask {
                    for number in 0..<20 { await append("\(writer)/\(number)", to: journal, deeds) }
                }
            }
        }
        journal.close()
        await running
        let published = deeds.all.compactMap { if case .published(let id) = $0 { id } else { nil } }
        #expect(published == Array(1...1_000))
        #expect(batches.withLock(\.self) < 500)
        try await eachWritersOwnOrderIsKept(temporary)
    }

    private func eachWritersOwnOrderIsKept(_ temporary: TemporaryStore) async throws {
        let page = try await temporary.store.page(room: 1, after: 0, through: .max, limit: 2_000)
        for writer in 0..<50 {
            let own = page.messages.map(\.key).filter { $0.hasPrefix("\(writer)/") }
            #expect(own == (0..<20).map { "\(writer)/\($0)" })
        }
    }
}
