import Logging

/// One visitor's searches: one at a time, and only the newest question is of interest.
///
/// A new search ends the one before, which is answered with what it has: nothing. Answers come in the order of the
/// questions, beside everything else that the visitor asks. For one task.
struct Searches {
    /// The most questions without an answer; past it the visitor has to wait.
    private static let most = 16

    private let outbox: Outbox
    private let logger: Logger
    private var newest: Task<Void, Never>?
    private var unanswered = 0

    init(outbox: Outbox, logger: Logger) {
        self.outbox = outbox
        self.logger = logger
    }

    /// Begins a search, and returns before it ends.
    mutating func begin(_ query: String, _ search: @escaping @Sendable () async throws -> SearchResult) async {
        unanswered += 1
        if unanswered > Self.most { await finish() }
        let previous = newest
        previous?.cancel()
        newest = Task { [outbox, logger] in
            await previous?.value
            do {
                try Task.checkCancellation()
                await outbox.put(.found(query: query, try await search()))
            } catch is CancellationError {
                await outbox.put(.found(query: query, SearchResult(isComplete: false)))
            } catch {
                logger.error("a search failed", metadata: ["error": "\(error)"])
                outbox.post(.error(.unavailable()))
            }
        }
    }

    /// Waits for the answers.
    mutating func finish() async {
        await newest?.value
        newest = nil
        unanswered = 0
    }

    /// Ends what runs: nobody waits for it any more.
    func cancel() { newest?.cancel() }
}
