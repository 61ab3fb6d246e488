/// What went wrong, in words that say what to do.
public struct WebSocketError: Error, Sendable, CustomStringConvertible {
    /// The kind of an error. More may come; a `switch` over it needs a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// Its name, for logs.
        public let description: String

        /// The port or Unix socket is in use.
        public static let addressInUse = Self(description: "addressInUse")
        /// The address cannot be listened on.
        public static let cannotListen = Self(description: "cannotListen")
        /// There is no connection to the server, or none through the proxy, whose answer is then
        /// ``WebSocketError/response``.
        public static let cannotConnect = Self(description: "cannotConnect")
        /// The server answered the opening handshake with another status than 101: ``WebSocketError/response``.
        public static let handshakeRefused = Self(description: "handshakeRefused")
        /// The server's answer to the opening handshake is not what RFC 6455 §4.1 asks for.
        public static let handshakeFailed = Self(description: "handshakeFailed")
        /// A setting that cannot work.
        public static let invalidConfiguration = Self(description: "invalidConfiguration")
        /// The connection is closed, or closing.
        public static let connectionClosed = Self(description: "connectionClosed")
        /// The connection ended without a closing handshake; with TLS, perhaps because somebody has cut it.
        public static let connectionLost = Self(description: "connectionLost")
        /// The peer broke the protocol, or a limit; ``WebSocket/closeCode`` was sent to it.
        public static let protocolViolation = Self(description: "protocolViolation")
        /// The peer answered no ping, no close, or no opening handshake in time, or took no connection.
        public static let timedOut = Self(description: "timedOut")
        /// The peer reads too slowly, and the policy closes such connections.
        public static let slowConsumer = Self(description: "slowConsumer")
        /// Somebody else is receiving from this connection.
        public static let alreadyReceiving = Self(description: "alreadyReceiving")
        /// An argument that the protocol does not allow.
        public static let invalidArgument = Self(description: "invalidArgument")
        /// Memory or descriptors are out.
        public static let outOfResources = Self(description: "outOfResources")
        /// The calling task was cancelled.
        public static let cancelled = Self(description: "cancelled")
        /// The content of a request is larger than allowed.
        public static let contentTooLarge = Self(description: "contentTooLarge")
        /// The content of a request is not of RFC 9112's form.
        public static let malformedContent = Self(description: "malformedContent")
        /// TLS failed: no handshake that both sides take, a server without TLS, an alert, a broken record.
        public static let tlsFailure = Self(description: "tlsFailure")
        /// The peer's certificate is missing, expired, for another host, or not signed by anybody trusted.
        public static let untrustedCertificate = Self(description: "untrustedCertificate")
        /// A file could not be read.
        public static let unreadableFile = Self(description: "unreadableFile")
    }

    /// The kind.
    public var code: Code { storage.code }
    /// What happened and what to do.
    public var message: String { storage.message }
    /// The error behind it, if any.
    public var cause: (any Error)? { storage.cause }
    /// What the server, or its proxy, answered where it refused a client.
    ///
    /// Of its content as much as ``WebSocketClient/Configuration/maxRefusalBytes`` lets through.
    public var response: Response? { storage.response }

    /// One reference, so that functions which may throw it stay as cheap as those which may not.
    private let storage: Storage

    private final class Storage: Sendable {
        let code: Code
        let message: String
        let cause: (any Error)?
        let response: Response?

        init(code: Code, message: String, cause: (any Error)?, response: Response?) {
            self.code = code
            self.message = message
            self.cause = cause
            self.response = response
        }
    }

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil, response: Response? = nil) {
        storage = Storage(code: code, message: message, cause: cause, response: response)
    }

    /// The message.
    public var description: String { message }
}

extension WebSocketError {
    static let closed = Self(.connectionClosed, "the connection is closed; nothing more can be sent")
}
