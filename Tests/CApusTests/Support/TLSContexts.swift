import CApusCore
import TestSupport

/// A server's context with a certificate for `localhost`, and that of a client that trusts it.
final class TLSContexts: @unchecked Sendable {
    let server: OpaquePointer
    let client: OpaquePointer

    /// What the core said where it made no context.
    struct Failure: Error { let number: CInt }

    init() throws {
        let certificate = try TestCertificate()
        server = try Self.make(APUS_ROLE_SERVER, certificate)
        client = try Self.make(APUS_ROLE_CLIENT, certificate)
    }

    deinit {
        apus_tls_context_release(server)
        apus_tls_context_release(client)
    }

    private static func make(_ role: apus_role, _ certificate: TestCertificate) throws -> OpaquePointer {
        try withText(certificate.pem) { chain in
            try withText(certificate.keyPEM) { key in
                var own = apus_tls_certificate(chain: chain, key: key)
                return try withUnsafePointer(to: &own) { own in
                    var config = apus_tls_config()
                    apus_tls_config_init(&config, role)
                    if role == APUS_ROLE_SERVER {
                        config.certificates = own
                        config.certificate_count = 1
                    } else {
                        config.trusts_system = false
                        config.roots = chain
                    }
                    var context: OpaquePointer?
                    var words = [CChar](repeating: 0, count: Int(APUS_TLS_WORDS_SIZE))
                    let error = apus_tls_context_new(&context, &config, &words)
                    guard let context else { throw Failure(number: error) }
                    return context
                }
            }
        }
    }

    private static func withText<T>(_ bytes: [UInt8], _ body: (apus_text) throws -> T) throws -> T {
        try bytes.withUnsafeBytes { bytes in
            // PEM is not empty, so it has an address.
            try body(apus_text(data: bytes.bindMemory(to: CChar.self).baseAddress!, len: bytes.count))
        }
    }
}
