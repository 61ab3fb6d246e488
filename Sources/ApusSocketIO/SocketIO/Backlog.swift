/// What a client has sent and nobody has dealt with yet, and whether the server reads on.
///
/// Past the soft limit the server stops reading, so the client is held back by its connection. But a handler may wait
/// for an acknowledgement that lies behind the events, and a slow handler must not cost the client its heartbeat. So
/// while an acknowledgement or a pong is due, the server reads on, up to a hard limit.
struct Backlog: Sendable {
    private let softLimit: Int
    private let hardLimit: Int
    private(set) var bytes = 0
    /// How many acknowledgements are awaited.
    var acknowledgementsDue = 0
    var isPongDue = false

    init(softLimit: Int, hardLimit: Int) {
        self.softLimit = softLimit
        self.hardLimit = hardLimit
    }

    /// Whether nothing more is to be read at present.
    var mustWait: Bool { bytes > softLimit && acknowledgementsDue <= 0 && !isPongDue }

    /// Whether a reader that has waited may go on: later than one has to begin, so that reading does not stop at every
    /// event.
    var mayGoOn: Bool { !mustWait && (bytes <= softLimit / 2 || acknowledgementsDue > 0 || isPongDue) }

    /// Whether something of this size may be kept as well. What comes below the soft limit always may, since a single
    /// packet has limits of its own.
    func hasRoom(for size: Int) -> Bool { bytes <= softLimit || bytes + size <= hardLimit }

    /// Takes something on. Returns whether there was room for it.
    mutating func begin(_ size: Int) -> Bool {
        guard hasRoom(for: size) else { return false }
        bytes += size
        return true
    }

    mutating func end(_ size: Int) { bytes -= size }
}

extension Backlog {
    init(_ configuration: SocketIOServer.Configuration) {
        self.init(softLimit: configuration.maxUnhandledBytes, hardLimit: configuration.maxOvertakenBytes)
    }
}
