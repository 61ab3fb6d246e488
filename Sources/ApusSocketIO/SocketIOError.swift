/// What went wrong between a server and its Socket.IO clients.
public struct SocketIOError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of errors; more may come.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// Its name.
        public let description: String

        /// The client is not connected any more.
        public static let disconnected = Self(description: "disconnected")
        /// An acknowledgement did not come in time.
        public static let timedOut = Self(description: "timedOut")
        /// The event's name is Socket.IO's own.
        public static let reservedEvent = Self(description: "reservedEvent")
        /// More attachments than a packet may have.
        public static let tooManyAttachments = Self(description: "tooManyAttachments")
        /// A namespace's name that cannot be one.
        public static let invalidNamespace = Self(description: "invalidNamespace")
        /// The application refuses a client, or an event of it.
        public static let refused = Self(description: "refused")
    }

    /// The kind.
    public let code: Code
    /// What happened and what to do about it. Of a refusal it is what the client is told.
    public let message: String
    /// What else a refused client is told, as `data` of its error.
    public let data: JSON?

    /// Names an error.
    public init(_ code: Code, _ message: String, data: JSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    /// Refuses a client, from a middleware or ``SocketIOServer/Configuration/allowRequest``; the client gets a
    /// `connect_error` with these words.
    public static func refused(_ message: String, data: JSON? = nil) -> Self { Self(.refused, message, data: data) }

    /// The code and the message.
    public var description: String { "\(code): \(message)" }

    static let disconnected = Self(.disconnected, "the client is not connected any more")
    static let timedOut = Self(.timedOut, "the client has not acknowledged in time")

    static func reserved(_ event: String) -> Self {
        Self(.reservedEvent, "'\(event)' is an event of Socket.IO itself; take another name")
    }
}
