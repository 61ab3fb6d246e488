/// TLS for a server: its certificates, and whether clients need one. TLS 1.2 and 1.3; of TLS 1.2 only the ciphers of
/// Mozilla's intermediate configuration, all of which have forward secrecy.
///
/// ```swift
/// var configuration = WebSocketServer.Configuration(port: 8443)
/// configuration.tls = TLSConfiguration(certificateFile: "chain.pem", keyFile: "key.pem")
/// ```
///
/// Files are read when the server is made, and again by ``WebSocketServer/reloadTLS()``.
public struct TLSConfiguration: Hashable, Sendable {
    /// Something in PEM form (RFC 7468).
    public enum PEM: Hashable, Sendable {
        /// The file at this path.
        case file(String)
        /// The text itself.
        case bytes([UInt8])
    }

    /// A certificate and its private key.
    public struct Certificate: Hashable, Sendable {
        /// The certificate itself, then those that sign it, in order.
        public var chain: PEM
        /// Its private key, not encrypted.
        public var key: PEM

        /// A certificate and its key.
        public init(chain: PEM, key: PEM) {
            self.chain = chain
            self.key = key
        }

        /// A certificate and its key, from files.
        public init(chainFile: String, keyFile: String) {
            self.init(chain: .file(chainFile), key: .file(keyFile))
        }
    }

    /// Whether clients have to show a certificate of theirs.
    public enum ClientVerification: Hashable, Sendable {
        /// They are not asked.
        case none
        /// They are asked; a certificate that a client shows must be signed by these roots.
        case optional(roots: PEM)
        /// Only those with a certificate that these roots have signed get in.
        case required(roots: PEM)
    }

    /// The first is the default; the others stand for the names in them (SNI, RFC 6066 §3), and the first that matches
    /// is taken. From 1 to 1000.
    public var certificates: [Certificate]
    /// Whether clients have to show a certificate. Default: they are not asked.
    public var clientVerification = ClientVerification.none
    /// The protocols for ALPN (RFC 7301), the preferred one first. A client that offers none of them is refused. If
    /// empty, what clients offer is ignored. Default: `http/1.1`.
    public var applicationProtocols = ["http/1.1"]

    /// TLS with these certificates.
    public init(certificates: [Certificate]) {
        self.certificates = certificates
    }

    /// TLS with one certificate and its key, each from a file in PEM form.
    public init(certificateFile: String, keyFile: String) {
        self.init(certificates: [Certificate(chainFile: certificateFile, keyFile: keyFile)])
    }
}

/// TLS for a client: the roots that it trusts, and its own certificate. The defaults are those of a browser.
public struct ClientTLSConfiguration: Hashable, Sendable {
    /// Whose signature makes a server's certificate good.
    public enum Trust: Hashable, Sendable {
        /// Any root that the operating system trusts.
        case system
        /// Those, and these.
        case systemAnd(TLSConfiguration.PEM)
        /// These alone; a self-signed certificate may be its own root.
        case only(TLSConfiguration.PEM)
        /// Nobody's: any certificate is taken, for any host. Anybody on the network path can read and alter it all.
        case everyone
    }

    /// Which roots to trust. The certificate must be for the host, too, but for `everyone`. Default: those of the
    /// operating system.
    public var trust = Trust.system
    /// What to show to a server that asks for a certificate. Default: `nil`, nothing.
    public var certificate: TLSConfiguration.Certificate?
    /// The protocols to offer for ALPN (RFC 7301), the preferred one first. Default: `http/1.1`.
    public var applicationProtocols = ["http/1.1"]

    /// The system's roots, and no certificate of one's own.
    public init() {}
}

/// What the TLS of a connection has agreed on.
public struct TLSSession: Hashable, Sendable {
    /// The version, such as `TLSv1.3`.
    public let version: String
    /// The cipher suite, such as `TLS_AES_256_GCM_SHA384`.
    public let cipher: String
    /// The protocol agreed on by ALPN, if any.
    public let applicationProtocol: String?
    /// The name that the client asked for (SNI), if any.
    public let serverName: String?
    /// Whether an earlier session was taken up, which saves the peers a signature and a round trip.
    public let isResumed: Bool
    /// The peer's certificate in DER form, if it has shown one; then it was verified, unless `everyone` is trusted.
    public let peerCertificate: [UInt8]?
}

extension WebSocket {
    /// What its TLS has agreed on; `nil` without TLS, and once the connection is gone. Suspends until its loop has
    /// answered, and not at all on that loop.
    public func tlsSession() async -> TLSSession? {
        await eventLoop.run { self.handle?.tlsSession }
    }
}
