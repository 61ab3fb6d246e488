import COpenSSL
import Glibc

extension Client {
    /// How a client's TLS is to be.
    public struct TLS: Sendable {
        /// Whom to trust; the certificate must be for `host`.
        public var root: TestCertificate?
        /// What to ask for (SNI), and what the certificate must be for.
        public var host = "localhost"
        /// What to show of oneself.
        public var certificate: TestCertificate?
        /// What to offer by ALPN.
        public var protocols: [String] = []
        /// No newer version than 1.2.
        public var isOld = false

        /// What to offer of TLS 1.2, as OpenSSL writes it.
        public var ciphers: String?

        /// TLS that trusts one root.
        public init(root: TestCertificate?) { self.root = root }
    }

    /// A handshake that did not come about, in OpenSSL's words.
    public struct HandshakeFailure: Error {
        /// What OpenSSL says of it.
        public let words: String
    }

    /// Connects, and does TLS's handshake.
    public convenience init(port: Int, tls options: TLS) throws {
        try self.init(port: port)
        try startTLS(options)
    }

    /// Does TLS's handshake on a socket that is connected.
    public func startTLS(_ options: TLS) throws {
        let context = SSL_CTX_new(TLS_client_method())
        defer { SSL_CTX_free(context) }
        if let root = options.root {
            X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.certificate)
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        }
        if let own = options.certificate {
            SSL_CTX_use_certificate(context, own.certificate)
            SSL_CTX_use_PrivateKey(context, own.key)
        }
        if options.isOld { SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil) }
        if let ciphers = options.ciphers { SSL_CTX_set_cipher_list(context, ciphers) }
        let protocols = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        if !protocols.isEmpty { SSL_CTX_set_alpn_protos(context, protocols, CUnsignedInt(protocols.count)) }
        guard let tls = SSL_new(context) else { throw HandshakeFailure(words: "out of memory") }
        self.tls = tls
        SSL_set_fd(tls, descriptor)
        SSL_set1_host(tls, options.host)
        var name = Array(options.host.utf8CString)
        SSL_ctrl(tls, CInt(SSL_CTRL_SET_TLSEXT_HOSTNAME), Int(TLSEXT_NAMETYPE_host_name), &name)
        ERR_clear_error()
        guard SSL_connect(tls) == 1 else { throw HandshakeFailure(words: Self.lastWords()) }
    }

    /// As `recv`: 0 at the end, be it of TLS or of the socket; -1 for a failure, such as an alert.
    func readSecure(_ tls: OpaquePointer, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        ERR_clear_error()
        let count = SSL_read(tls, bytes.baseAddress, CInt(bytes.count))
        guard count <= 0 else { return Int(count) }
        return SSL_get_error(tls, count) == SSL_ERROR_ZERO_RETURN ? 0 : -1
    }

    /// Says that nothing more will come (close_notify), without ending TCP's direction.
    public func sendCloseNotify() { if let tls { SSL_shutdown(tls) } }

    /// Whether the other end has said that nothing more will come.
    public var hasSecureEnd: Bool { tls.map { SSL_get_shutdown($0) & SSL_RECEIVED_SHUTDOWN != 0 } ?? false }

    /// The subject of the certificate that the server has shown.
    public var serverName: String {
        guard let tls, let certificate = SSL_get1_peer_certificate(tls) else { return "" }
        defer { X509_free(certificate) }
        return TestCertificate.name(of: certificate)
    }

    private static func lastWords() -> String {
        ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) } ?? "the connection ended"
    }
}
