import CApus

extension Refusal {
    /// The most bytes of a client's own words that are told.
    private static let mostWords = 200

    /// What the core tells of a client that was turned away. `apus_refusal`
    init(_ refusal: apus_refusal) {
        let error = apus_error(rawValue: refusal.error)
        let words = String(cString: apus_error_message(refusal.error))
        let more = String(decoding: refusal.detail.bytes.prefix(Self.mostWords), as: UTF8.self)
        self.init(
            cause: Cause(error), address: SocketAddress(refusal.address),
            detail: more.isEmpty ? words : "\(words): \(more)")
    }
}

extension Refusal.Cause {
    fileprivate init(_ error: apus_error) {
        self =
            switch error {
            case APUS_EORIGIN: .origin
            case APUS_EHANDSHAKE, APUS_EKEY, APUS_EVERSION, APUS_EMETHOD, APUS_EBODY: .handshake
            case APUS_EHEADSIZE, APUS_EHEADCOUNT, APUS_EBODYSIZE: .tooLarge
            case APUS_ETIMEDOUT: .timeout
            case APUS_EUPGRADETIME: .upgradeTimeout
            case APUS_ETOOMANY: .connectionLimit
            case APUS_EPROXY: .proxy
            case APUS_ETLSPLAIN: .plaintext
            case APUS_EHEAD, APUS_EHTTPVERSION, APUS_EHOST, APUS_ECODING, APUS_EEXPECT, APUS_EFORWARDED:
                .malformedRequest
            default: .tls
            }
    }
}
