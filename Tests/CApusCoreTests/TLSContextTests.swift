import CApusCore
import TestSupport
import Testing

struct TLSContextTests {
    private let certificate: TestCertificate

    init() throws { certificate = try TestCertificate() }

    private var pair: TLSContext.Pair { (certificate.pem, certificate.keyPEM) }

    /// Why a server's context cannot be made; `nil` where it can.
    private func fault(_ certificates: [TLSContext.Pair], _ change: (inout [String]) -> Void = { _ in }) -> apus_error?
    {
        var protocols = ["http/1.1"]
        change(&protocols)
        do {
            _ = try TLSContext(APUS_ROLE_SERVER, certificates, protocols: protocols)
            return nil
        } catch let failure as TLSContext.Failure {
            return failure.error
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    @Test func `a certificate and its key make a server`() {
        #expect(fault([pair]) == nil)
    }

    @Test func `a server needs a certificate`() {
        #expect(fault([]) == APUS_EINVAL)
    }

    @Test func `a client takes one certificate at most`() throws {
        #expect(throws: TLSContext.Failure(error: APUS_EINVAL, words: "")) {
            try TLSContext(APUS_ROLE_CLIENT, [pair, pair])
        }
        _ = try TLSContext(APUS_ROLE_CLIENT, [pair])
    }

    @Test func `what is no PEM is no certificate and no key`() {
        #expect(fault([([], pair.key)]) == APUS_ECHAIN)
        #expect(fault([(Array("hello".utf8), pair.key)]) == APUS_ECHAIN)
        #expect(fault([(pair.key, pair.key)]) == APUS_ECHAIN)
        #expect(fault([(pair.chain, [])]) == APUS_EPRIVATEKEY)
        #expect(fault([(pair.chain, pair.chain)]) == APUS_EPRIVATEKEY)
    }

    @Test func `a PEM that is cut anywhere is refused or whole`() {
        // Only what ends a line may be missing.
        for count in 0..<pair.chain.count where fault([(Array(pair.chain.prefix(count)), pair.key)]) == nil {
            #expect(count >= pair.chain.count - 1)
        }
        for count in 0..<pair.key.count where fault([(pair.chain, Array(pair.key.prefix(count)))]) == nil {
            #expect(count >= pair.key.count - 1)
        }
    }

    @Test func `an encrypted key is refused, and nobody is asked for its passphrase`() {
        #expect(fault([(pair.chain, certificate.encryptedKeyPEM)]) == APUS_EPRIVATEKEY)
    }

    @Test(arguments: [TestCertificate.Key.p256, .rsa2048])
    func `another certificate's key is refused, of whatever kind`(_ kind: TestCertificate.Key) throws {
        let other = try TestCertificate(key: kind)
        #expect(fault([(pair.chain, other.keyPEM)]) == APUS_EKEYMISMATCH)
    }

    @Test func `a chain that is broken behind its first certificate is refused`() {
        let broken = Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
        #expect(fault([(pair.chain + broken, pair.key)]) == APUS_ECHAIN)
        #expect(fault([(pair.chain + pair.chain, pair.key)]) == nil)
    }

    @Test func `the name of a protocol takes 1 to 255 bytes`() {
        #expect(fault([pair]) { $0 = [""] } == APUS_EINVAL)
        #expect(fault([pair]) { $0 = [String(repeating: "x", count: 255)] } == nil)
        #expect(fault([pair]) { $0 = [String(repeating: "x", count: 256)] } == APUS_EINVAL)
        #expect(fault([pair]) { $0 = [] } == nil)
    }

    @Test func `roots that are none are refused`() {
        #expect(throws: TLSContext.Failure.self) { try TLSContext(APUS_ROLE_CLIENT, roots: Array("hello".utf8)) }
        #expect(throws: TLSContext.Failure.self) { try TLSContext(APUS_ROLE_CLIENT, roots: pair.key) }
    }

    /// OpenSSL counts in `int`. Of a text that is said to be larger, nothing is read.
    @Test func `a text of more than 2 GiB is no PEM`() {
        var config = apus_tls_config()
        apus_tls_config_init(&config, APUS_ROLE_CLIENT)
        config.trusts_system = false
        var words = [CChar](repeating: 0, count: Int(APUS_TLS_WORDS_SIZE))
        var context: OpaquePointer?
        let error = "".withCString { text in
            config.roots = apus_text(data: text, len: Int(Int32.max) + 1)
            return apus_tls_context_new(&context, &config, &words)
        }
        #expect(error == APUS_EROOTS.rawValue)
        apus_tls_context_release(context)
    }

    @Test func `the expiry is that of the certificate that expires first`() throws {
        let early = try TestCertificate(days: -20 ... -10)
        let context = try TLSContext(APUS_ROLE_SERVER, [pair, (early.pem, early.keyPEM)])
        let alone = try TLSContext(APUS_ROLE_SERVER, [pair])
        let days = (apus_tls_context_expiry(alone.pointer) - apus_tls_context_expiry(context.pointer)) / 86_400
        #expect((19...20).contains(days))
        let client = try TLSContext(APUS_ROLE_CLIENT)
        #expect(apus_tls_context_expiry(client.pointer) == Int64.max)
    }

    @Test func `every allocation of ours may fail`() throws {
        for nth in 1...100 as ClosedRange<UInt32> {
            apus_alloc_fail(nth)
            let error = fault([pair])
            apus_alloc_fail(0)
            guard let error else {
                #expect(nth > 2)
                return
            }
            #expect(error == APUS_ENOMEM)
        }
    }
}
