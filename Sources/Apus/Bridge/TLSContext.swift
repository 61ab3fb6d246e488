import CApus
import Synchronization

/// Owns a reference to an `apus_tls_context`: certificates and trust, ready for connections.
final class TLSContext: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    /// A server's; reads its files. `apus_tls_context_new`
    convenience init(_ configuration: TLSConfiguration) throws(WebSocketError) {
        try configuration.validate()
        var certificates: [TLSMaterial.Certificate] = []
        for certificate in configuration.certificates { certificates.append(try .init(certificate)) }
        var material = TLSMaterial(role: APUS_ROLE_SERVER, certificates: certificates)
        material.protocols = configuration.applicationProtocols
        switch configuration.clientVerification {
        case .none: break
        case .optional(let roots): material.verify(APUS_TLS_VERIFY_OPTIONAL, roots: try roots.contents())
        case .required(let roots): material.verify(APUS_TLS_VERIFY_REQUIRED, roots: try roots.contents())
        }
        try self.init(material)
    }

    /// A client's, the same one for as long as its files and settings are: the system's roots are many, and sessions
    /// are kept in it, so that the next connection may take them up. Reads the files at each call.
    static func shared(for configuration: ClientTLSConfiguration) throws(WebSocketError) -> TLSContext {
        let material = try TLSMaterial(configuration)
        if let known = clients.withLock({ $0.first { $0.material == material } }) { return known.context }
        let context = try TLSContext(material)
        return clients.withLock { clients in
            // Somebody else may have been faster.
            if let known = clients.first(where: { $0.material == material }) { return known.context }
            if clients.count == mostClients { clients.removeFirst() }
            clients.append((material, context))
            return context
        }
    }

    /// Contexts of clients that are kept; few processes have more than one.
    private static let mostClients = 8
    private static let clients = Mutex<[(material: TLSMaterial, context: TLSContext)]>([])

    private init(_ material: TLSMaterial) throws(WebSocketError) {
        switch material.makeContext() {
        case .success(let pointer): self.pointer = pointer
        case .failure(let fault): throw material.explain(fault)
        }
    }

    deinit { apus_tls_context_release(pointer) }

    /// When the first of its certificates expires, in seconds since 1970. `apus_tls_context_expiry`
    var expiry: Int64 { apus_tls_context_expiry(pointer) }
}

/// What a context is made of, read from wherever it was.
private struct TLSMaterial: Hashable {
    struct Certificate: Hashable {
        let chain: [UInt8]
        let key: [UInt8]
        /// For errors.
        let name: String

        init(_ certificate: TLSConfiguration.Certificate) throws(WebSocketError) {
            chain = try certificate.chain.contents()
            key = try certificate.key.contents()
            name = "the certificate \(certificate.chain.name) with the key \(certificate.key.name)"
        }
    }

    /// What is wrong: one of the core's errors, and OpenSSL's words.
    struct Fault: Error {
        let error: CInt
        let words: String
    }

    let role: apus_role
    var certificates: [Certificate]
    var protocols: [String] = []
    var verification: apus_tls_verification
    var trustsSystem: Bool
    var roots: [UInt8] = []

    init(role: apus_role, certificates: [Certificate]) {
        var config = apus_tls_config()
        apus_tls_config_init(&config, role)
        self.role = role
        self.certificates = certificates
        verification = config.verification
        trustsSystem = config.trusts_system
    }

    /// A client's; reads its files.
    init(_ configuration: ClientTLSConfiguration) throws(WebSocketError) {
        try configuration.applicationProtocols.validate()
        var certificates: [Certificate] = []
        if let certificate = configuration.certificate { certificates = [try .init(certificate)] }
        self.init(role: APUS_ROLE_CLIENT, certificates: certificates)
        protocols = configuration.applicationProtocols
        switch configuration.trust {
        case .system: break
        case .systemAnd(let roots): self.roots = try roots.contents()
        case .only(let roots):
            trustsSystem = false
            self.roots = try roots.contents()
        case .everyone: verification = APUS_TLS_VERIFY_NONE
        }
    }

    mutating func verify(_ verification: apus_tls_verification, roots: [UInt8]) {
        self.verification = verification
        self.roots = roots
    }

    func makeContext() -> Result<OpaquePointer, Fault> {
        let pieces = certificates.flatMap { [$0.chain, $0.key] } + protocols.map { Array($0.utf8) } + [roots]
        return withTexts(pieces) { texts in
            let own = (0..<certificates.count).map {
                apus_tls_certificate(chain: texts[2 * $0], key: texts[2 * $0 + 1])
            }
            let spoken = Array(texts[(2 * own.count)..<(texts.count - 1)])
            return own.withUnsafeBufferPointer { own in
                spoken.withUnsafeBufferPointer { spoken in
                    var config = apus_tls_config()
                    apus_tls_config_init(&config, role)
                    config.certificates = own.baseAddress
                    config.certificate_count = own.count
                    config.protocols = spoken.baseAddress
                    config.protocol_count = spoken.count
                    config.verification = verification
                    config.trusts_system = trustsSystem
                    config.roots = texts[texts.count - 1]
                    return makeContext(config)
                }
            }
        }
    }

    private func makeContext(_ config: apus_tls_config) -> Result<OpaquePointer, Fault> {
        var config = config
        var context: OpaquePointer?
        var words = [CChar](repeating: 0, count: Int(APUS_TLS_WORDS_SIZE))
        let error = apus_tls_context_new(&context, &config, &words)
        if let context { return .success(context) }
        let text = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return .failure(Fault(error: error, words: String(decoding: text, as: UTF8.self)))
    }

    /// Says whose fault it is: of several certificates, the first that does not work alone.
    func explain(_ fault: Fault) -> WebSocketError {
        let reason = String(cString: apus_error_message(fault.error))
        let words = fault.words.isEmpty ? reason : "\(reason) (\(fault.words))"
        guard fault.error != APUS_ENOMEM.rawValue else { return WebSocketError(core: fault.error) }
        for certificate in certificates {
            var alone = Self(role: role, certificates: [certificate])
            alone.verification = APUS_TLS_VERIFY_NONE
            switch alone.makeContext() {
            case .success(let context): apus_tls_context_release(context)
            case .failure:
                return WebSocketError(.invalidConfiguration, "cannot use \(certificate.name) for TLS: \(words)")
            }
        }
        return WebSocketError(.invalidConfiguration, "cannot set up TLS: \(words)")
    }

    /// Lays the pieces into one block of memory, and calls `body` with where they stand.
    private func withTexts<T>(_ pieces: [[UInt8]], _ body: ([apus_text]) -> T) -> T {
        pieces.flatMap { $0 }.withUnsafeBytes { block in
            var rest = block[...]
            let texts = pieces.map { piece in
                defer { rest = rest.dropFirst(piece.count) }
                return apus_text(UnsafeRawBufferPointer(rebasing: rest.prefix(piece.count)))
            }
            return body(texts)
        }
    }
}

extension TLSConfiguration {
    fileprivate func validate() throws(WebSocketError) {
        guard (1...Int(APUS_TLS_MOST_CERTIFICATES)).contains(certificates.count) else {
            throw WebSocketError(
                .invalidConfiguration,
                "TLS takes from 1 to \(APUS_TLS_MOST_CERTIFICATES) certificates, not \(certificates.count)")
        }
        try applicationProtocols.validate()
    }
}

extension [String] {
    /// As names of protocols for ALPN (RFC 7301 §3.1).
    fileprivate func validate() throws(WebSocketError) {
        guard allSatisfy({ (1...255).contains($0.utf8.count) }) else {
            throw WebSocketError(.invalidConfiguration, "the name of an application protocol takes 1 to 255 bytes")
        }
    }
}

extension TLSConfiguration.PEM {
    /// The text, read where it is a file.
    fileprivate func contents() throws(WebSocketError) -> [UInt8] {
        switch self {
        case .file(let path): try FileSystem.contents(of: path)
        case .bytes(let bytes): bytes
        }
    }

    fileprivate var name: String {
        switch self {
        case .file(let path): path
        case .bytes: "given as bytes"
        }
    }
}

extension ConnectionHandle {
    /// Whether it speaks TLS. `apus_connection_tls`
    var isSecure: Bool { apus_connection_tls(pointer) != nil }

    /// What its TLS has agreed on, if it speaks any. `apus_tls_version` and its neighbours
    var tlsSession: TLSSession? {
        guard let tls = apus_connection_tls(pointer) else { return nil }
        var certificate = apus_bytes()
        defer { apus_bytes_deinit(&certificate) }
        let hasCertificate = apus_tls_peer_certificate(tls, &certificate) == 0 && certificate.len != 0
        return TLSSession(
            version: String(cString: apus_tls_version(tls)),
            cipher: String(cString: apus_tls_cipher(tls)),
            applicationProtocol: apus_tls_protocol(tls).nonEmptyString,
            serverName: apus_tls_server_name(tls).nonEmptyString,
            isResumed: apus_tls_is_resumed(tls),
            peerCertificate: hasCertificate
                ? Array(UnsafeRawBufferPointer(start: certificate.data, count: certificate.len)) : nil)
    }
}

extension apus_text {
    fileprivate var nonEmptyString: String? { len == 0 ? nil : string }
}
