import Testing

@testable import Chat

/// Joining while others publish: the past and what is live must meet without a gap or an overlap.
@Suite struct RoomJoiningTests {
    private static let messages = 600

    @Test(arguments: [0, 1, 150, nil] as [Int64?])
    func `whoever joins amid publishing is told each message once, in order, whatever they have already`(
        after: Int64?
    ) async throws {
        let temporary = try await TemporaryStore(rooms: "Tea")
        let early = after.map { Int($0) } ?? 0
        try await temporary.add((0..<early).map { "early \($0)" })
        let directory = try await RoomDirectory(store: temporary.store)
        let room = try await directory.room(named: "Tea")
        let journal = Journal(store: temporary.store, logger: quiet, capacity: 8)

        async let running: Void = journal.run(publish: directory.publish, reload: {})
        let heard = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for member in 1...40 {
                group.addTask { try await Self.listen(in: room, as: member, after: after) }
            }
            for number in early..<Self.messages {
                await journal.append(
                    .init(room: .init(id: 1, name: "Tea"), name: "Ann", text: "\(number)", key: "\(number)")
                ) { _ in }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        journal.close()
        await running

        for ids in heard {
            let first = try #require(ids.first)
            #expect(ids == Array(first...Int64(Self.messages)))
            if let after { #expect(first == after + 1) }
        }
    }

    /// Joins and collects the ids of all messages, from history and live, until the last one has come.
    private static func listen(in room: Room, as member: Int, after: Int64?) async throws -> [Int64] {
        let ears = Ears()
        try await room.join(.init(member: member, name: "Guest", outbox: ears.outbox), after: after)
        var ids: [Int64] = []
        while ids.last != Int64(messages), let event = try await ears.next() {
            ids += event.messages?.map(\.id) ?? event.message.map { [$0.id] } ?? []
        }
        return ids
    }
}
