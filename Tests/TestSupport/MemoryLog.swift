import Logging
import Synchronization

/// Keeps what is logged.
public final class MemoryLog: Sendable {
    private let kept = Mutex<[String]>([])

    /// Keeps nothing yet.
    public init() {}

    /// The messages with their metadata, in order.
    public var lines: [String] { kept.withLock { $0 } }

    /// Logs to this.
    public var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: MemoryLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.kept.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
