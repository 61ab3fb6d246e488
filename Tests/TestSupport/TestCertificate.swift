import COpenSSL

/// A certificate made for a test, with its key: none is kept anywhere.
public final class TestCertificate: @unchecked Sendable {
    let certificate: OpaquePointer
    let key: OpaquePointer

    /// What kind of key to make.
    public enum Key: Sendable { case p256, rsa2048 }

    /// Makes a certificate.
    ///
    /// - Parameters:
    ///   - names: what it is for, as OpenSSL writes it; also the subject.
    ///   - days: from when until when it is valid, counted from today.
    ///   - issuer: who signs it; itself if nobody.
    ///   - isAuthority: whether it may sign others.
    public init(
        _ subject: String = "localhost", names: String = "DNS:localhost,IP:127.0.0.1", days: ClosedRange<Int> = -1...10,
        issuer: TestCertificate? = nil, isAuthority: Bool = false, key kind: Key = .p256
    ) throws {
        key = try Self.makeKey(kind)
        certificate = try Self.require(X509_new(), "X509_new")
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...Int.max))
        X509_gmtime_adj(X509_getm_notBefore(certificate), days.lowerBound * 86_400)
        X509_gmtime_adj(X509_getm_notAfter(certificate), days.upperBound * 86_400)
        X509_set_pubkey(certificate, key)
        let name = X509_get_subject_name(certificate)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, subject, -1, -1, 0)
        X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0.certificate) } ?? name)
        try add(NID_subject_alt_name, names)
        if isAuthority { try add(NID_basic_constraints, "critical,CA:TRUE") }
        guard X509_sign(certificate, issuer?.key ?? key, EVP_sha256()) != 0 else { throw Failure(call: "X509_sign") }
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    /// What OpenSSL could not do.
    public struct Failure: Error {
        /// The call.
        public let call: String
    }

    private static func require<T>(_ value: T?, _ call: String) throws -> T {
        guard let value else { throw Failure(call: call) }
        return value
    }

    private static func makeKey(_ kind: Key) throws -> OpaquePointer {
        let context = try require(
            EVP_PKEY_CTX_new_id(kind == .p256 ? EVP_PKEY_EC : EVP_PKEY_RSA, nil), "EVP_PKEY_CTX_new_id")
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        switch kind {
        case .p256: EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1)
        case .rsa2048: EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048)
        }
        var key: OpaquePointer?
        EVP_PKEY_keygen(context, &key)
        return try require(key, "EVP_PKEY_keygen")
    }

    private func add(_ extensionID: CInt, _ value: String) throws {
        let made = try Self.require(X509V3_EXT_conf_nid(nil, nil, extensionID, value), "X509V3_EXT_conf_nid")
        X509_add_ext(certificate, made, -1)
        X509_EXTENSION_free(made)
    }

    /// The certificate alone, in PEM form.
    public var pem: [UInt8] { Self.text { PEM_write_bio_X509($0, certificate) } }

    /// The private key in PEM form.
    public var keyPEM: [UInt8] { Self.text { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    /// The private key, encrypted, in PEM form.
    public var encryptedKeyPEM: [UInt8] {
        Self.text { PEM_write_bio_PrivateKey($0, key, EVP_aes_128_cbc(), "secret", 6, nil, nil) }
    }

    /// The certificate in DER form.
    public var der: [UInt8] { Self.text { i2d_X509_bio($0, certificate) } }

    private static func text(_ write: (OpaquePointer?) -> CInt) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        guard write(bio) == 1 else { return [] }
        var start: UnsafePointer<UInt8>?
        let count = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &start)
        return Array(UnsafeBufferPointer(start: start, count: count))
    }

    static func name(of certificate: OpaquePointer) -> String {
        var characters = [CChar](repeating: 0, count: 256)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, &characters, 256)
        return String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
