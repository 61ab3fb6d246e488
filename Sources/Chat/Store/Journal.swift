import Logging

/// The one way by which messages come into the database: in the order in which they came in, many in one transaction.
///
/// While a transaction is being flushed to the disk more messages come in; they all go into the next one. So one flush
/// serves a single message at once, and hundreds of messages together. Messages are published when they are stored,
/// before their senders are told, by the one task of `run`: in ascending order of their ids.
struct Journal: Sendable {
    /// A message on its way into the database.
    struct Entry: Sendable {
        let draft: MessageStore.Draft
        /// Is told what became of it, once it is stored and published, or was not stored.
        let settle: @Sendable (Result<MessageStore.Stored, any Error>) -> Void
    }

    private let store: MessageStore
    private let logger: Logger
    private let entries: Mailbox<Entry>

    /// Creates a journal; senders wait while more than `capacity` messages are on their way.
    init(store: MessageStore, logger: Logger, capacity: Int = 1_000) {
        self.store = store
        self.logger = logger
        entries = Mailbox(capacity: capacity)
    }

    /// Takes a message in; returns before it is stored.
    func append(
        _ draft: MessageStore.Draft,
        settle: @escaping @Sendable (Result<MessageStore.Stored, any Error>) -> Void
    ) async {
        await entries.put(Entry(draft: draft, settle: settle))
    }

    /// Stores and publishes until `close`, and then what is still on its way.
    ///
    /// - Parameters:
    ///   - publish: gets what each transaction has stored, without messages that were stored before.
    ///   - reload: is called before that if somebody else has changed the database.
    func run(
        publish: ([MessageStore.Stored]) async -> Void, reload: () async throws -> Void
    ) async {
        while let batch = await entries.next() {
            do {
                let appended = try await store.append(batch.map(\.draft))
                if appended.isChangedFromOutside {
                    logger.warning("another program has changed the database; its rooms are read again")
                    await read(reload)
                }
                await publish(appended.stored.compactMap { $0 }.filter(\.isNew))
                for (entry, stored) in zip(batch, appended.stored) {
                    entry.settle(stored.map { .success($0) } ?? .failure(Refusal.noSuchRoom(entry.draft.room.name)))
                }
            } catch {
                logger.error("messages were not stored", metadata: ["count": "\(batch.count)", "error": "\(error)"])
                for entry in batch { entry.settle(.failure(error)) }
            }
        }
    }

    /// What was stored is stored, so that a failure here must not be told to those who sent it.
    private func read(_ reload: () async throws -> Void) async {
        do {
            try await reload()
        } catch {
            logger.error("the rooms could not be read again", metadata: ["error": "\(error)"])
        }
    }

    /// Takes nothing in any more.
    func close() { entries.close() }
}
