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
    /// - Parameter publish: gets what each transaction has stored, without messages that were stored before.
    func run(publish: ([MessageStore.Stored]) async -> Void) async {
        while let batch = await entries.next() {
            do {
                let stored = try await store.append(batch.map(\.draft))
                await publish(stored.filter(\.isNew))
                for (entry, stored) in zip(batch, stored) { entry.settle(.success(stored)) }
            } catch {
                logger.error("messages were not stored", metadata: ["count": "\(batch.count)", "error": "\(error)"])
                for entry in batch { entry.settle(.failure(error)) }
            }
        }
    }

    /// Takes nothing in any more.
    func close() { entries.close() }
}
