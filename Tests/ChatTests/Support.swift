import Foundation
import Logging
import Synchronization
import Testing

@testable import Chat

/// Says nothing, for what is expected to fail.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A folder that is removed with everything in it when nothing refers to it any more.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(path) could not be removed: \(error)")
        }
    }

    func file(_ name: String) -> String { path + "/" + name }
}

/// A database in a folder of its own, with rooms named as given.
struct TemporaryStore {
    let folder: TemporaryFolder
    let store: MessageStore
    let rooms: [Int64]
    private let names: [String]

    init(rooms names: String...) async throws {
        folder = try TemporaryFolder()
        let store = try MessageStore(path: folder.file("chat.sqlite"), clock: { 1_700_000_000_000 })
        self.store = store
        var rooms: [Int64] = []
        for name in names { rooms.append(try await store.createRoom(named: name)) }
        self.rooms = rooms
        self.names = names
    }

    /// The room of this id as drafts name it.
    func key(_ room: Int64) -> MessageStore.RoomKey {
        .init(id: room, name: rooms.firstIndex(of: room).map { names[$0] } ?? "none")
    }

    /// Stores one message for each text, in the first room unless told otherwise; returns their ids.
    @discardableResult
    func add(_ texts: String..., room: Int64? = nil) async throws -> [Int64] {
        try await add(texts, room: room)
    }

    @discardableResult
    func add(_ texts: [String], room: Int64? = nil) async throws -> [Int64] {
        let drafts = texts.map { text in
            MessageStore.Draft(room: key(room ?? rooms[0]), name: "Ann", text: text, key: UUID().uuidString)
        }
        return try await store.store(drafts).map(\.message.id)
    }
}

extension MessageStore {
    /// Stores drafts of which the database has every room.
    func store(_ drafts: [Draft]) async throws -> [Stored] {
        let stored = try await append(drafts).stored
        #expect(stored.allSatisfy { $0 != nil })
        return stored.compactMap { $0 }
    }
}

/// A text that takes quadratic time to bring into a normal form.
func alternatingMarks(bytes: Int) -> String {
    String(repeating: "\u{301}\u{323}", count: bytes / 4)
}

/// What a client reads out of a server's event.
struct Heard: Decodable, Equatable {
    struct Message: Decodable, Equatable {
        let id: Int64
        let room: String
        let name: String
        let text: String
        let at: Int64
        let key: String
    }
    struct Room: Decodable, Equatable {
        let name: String
        let members: Int
    }
    struct Member: Decodable, Equatable {
        let member: Int
        let name: String
    }

    let type: String
    let name: String?
    let member: Int?
    let rooms: [Room]?
    let textLimit: Int?
    let room: String?
    let messages: [Message]?
    let reason: String?
    let older: Bool?
    let done: Bool?
    let message: Message?
    let key: String?
    let id: Int64?
    let at: Int64?
    let members: [Member]?
    let query: String?
    let code: String?
    let words: String?
    let complete: Bool?
    let gone: [String]?

    init(_ json: String) throws {
        self = try JSONDecoder().decode(Heard.self, from: Data(json.utf8))
    }
}

/// A client's ears: reads an outbox event by event.
final class Ears {
    let outbox: Outbox
    private var waiting: [Heard] = []

    init(_ outbox: Outbox = Outbox()) { self.outbox = outbox }

    /// The next event, waiting for it; nil once the outbox is closed and empty.
    func next() async throws -> Heard? {
        if waiting.isEmpty {
            guard let events = await outbox.next() else { return nil }
            waiting = try events.map { try Heard($0.json) }
        }
        return waiting.removeFirst()
    }

    /// The next event of this type; what comes before it is dropped.
    func next(_ type: String) async throws -> Heard {
        while let event = try await next() {
            if event.type == type { return event }
        }
        throw StoreError("the outbox closed before a '\(type)' came")
    }

    /// All events that are there now and up to here.
    func all() async throws -> [Heard] {
        outbox.close()
        var events: [Heard] = []
        while let event = try await next() { events.append(event) }
        return events
    }
}

/// A clock whose time only a test moves on.
final class ManualClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (a: Instant, b: Instant) -> Bool { a.offset < b.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleepers: [(until: Instant, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())
    /// Yields the length of each sleep that begins.
    let sleeps: AsyncStream<Duration>
    private let began: AsyncStream<Duration>.Continuation

    init() { (sleeps, began) = AsyncStream.makeStream() }

    var now: Instant { state.withLock(\.now) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        await withCheckedContinuation { continuation in
            let length = state.withLock { state in
                state.sleepers.append((deadline, continuation))
                return state.now.duration(to: deadline)
            }
            began.yield(length)
        }
        try Task.checkCancellation()
    }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let now = state.now
            defer { state.sleepers.removeAll { $0.until <= now } }
            return state.sleepers.filter { $0.until <= now }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }
}
