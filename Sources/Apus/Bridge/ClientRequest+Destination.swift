import CApus
import HTTPTypes

extension ClientRequest {
    /// Calls `body` with the request as the core takes it, valid during the call.
    func withDestination<T>(_ body: (UnsafePointer<apus_destination>) -> T) -> T {
        withText(url.authority) { authority in
            withText(url.target) { target in
                withText(subprotocols.joined(separator: ", ")) { protocols in
                    headerFields.withTexts { fields in
                        let offer = apus_handshake_offer(
                            host: authority, target: target, protocols: protocols, extensions: apus_text(.empty),
                            fields: fields.baseAddress, field_count: fields.count)
                        return withDestination(offer, body)
                    }
                }
            }
        }
    }

    private func withDestination<T>(
        _ offer: apus_handshake_offer, _ body: (UnsafePointer<apus_destination>) -> T
    ) -> T {
        let (host, port, isUnix, proxied) = connection
        return host.withCString { host in
            withServerName { serverName in
                withText(proxied) { proxied in
                    (proxy?.headerFields ?? [:]).withTexts { fields in
                        var destination = apus_destination(
                            host: host, port: UInt16(port), is_unix: isUnix, server_name: serverName, offer: offer,
                            proxied: proxied, proxy_fields: fields.baseAddress, proxy_field_count: fields.count)
                        return body(&destination)
                    }
                }
            }
        }
    }

    /// The URL's host, where it asks for TLS.
    private func withServerName<T>(_ body: (UnsafePointer<CChar>?) -> T) -> T {
        guard url.isSecure, case .tcp(let host, _) = url.place else { return body(nil) }
        return host.withCString(body)
    }

    /// What to connect to, and what a proxy is asked to connect to; the latter is empty where there is none.
    private var connection: (host: String, port: Int, isUnix: Bool, proxied: String) {
        switch (url.place, proxy) {
        case (.unix(let path), _): (path, 0, true, "")
        case (.tcp(let host, let port), nil): (host, port, false, "")
        case (.tcp(let host, let port), let proxy?):
            (proxy.host, proxy.port, false, host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        }
    }
}

private func withText<T>(_ string: String, _ body: (apus_text) -> T) -> T {
    var string = string
    return string.withUTF8 { body(apus_text($0)) }
}

extension UnsafeRawBufferPointer {
    fileprivate static var empty: Self { Self(start: nil, count: 0) }
}

extension WebSocketError {
    /// What the core says of a request before anything is connected.
    init(refused request: ClientRequest, _ error: CInt) {
        switch apus_error(rawValue: error) {
        case APUS_EHOST:
            self.init(.invalidArgument, "\(request.url.authority.debugDescription) is no host that one can connect to")
        case APUS_EHANDSHAKE:
            self.init(
                .invalidArgument,
                "the subprotocols must be tokens (RFC 9110 §5.6.2), at most 64 and all different: "
                    + request.subprotocols.joined(separator: ", "))
        case APUS_EFIELD:
            self.init(
                .invalidArgument,
                "a header field cannot be sent: one that the handshake writes itself, that frames content, or that "
                    + "holds control characters; the fields are "
                    + request.headerFields.map(\.name.rawName).joined(separator: ", "))
        default: self.init(core: error)
        }
    }

    /// Why a WebSocket has not opened.
    init(
        _ failure: apus_failure, _ request: ClientRequest, _ timeouts: (connect: Duration, handshake: Duration)
    ) {
        let cause = String(cString: failure.cause)
        let place = request.proxy.map { "the proxy \($0.host):\($0.port)" } ?? "\(request.url)"
        let response = failure.response.map { Response($0.pointee, body: failure.body, count: failure.body_len) }
        let status = response.map { "\($0.status.code) \($0.status.reasonPhrase)" } ?? ""
        switch apus_error(rawValue: failure.error) {
        case APUS_ERESOLVE:
            self.init(.cannotConnect, "cannot find the address of \(place): \(cause)")
        case APUS_ECONNECT:
            self.init(.cannotConnect, "cannot connect to \(place): \(cause)")
        case APUS_ETIMEDOUT where failure.has_connected:
            self.init(.timedOut, "\(place) did not answer within \(timeouts.handshake)")
        case APUS_ETIMEDOUT:
            self.init(.timedOut, "cannot connect to \(place) within \(timeouts.connect)")
        case APUS_ETUNNEL:
            self.init(.cannotConnect, "\(place) does not connect to \(request.url): \(status)", response: response)
        case APUS_ESTATUS:
            self.init(
                .handshakeRefused, "\(request.url) answered the opening handshake with \(status)", response: response)
        case APUS_ELOST:
            self.init(.connectionLost, "\(place) ended the connection before it had answered the opening handshake")
        case APUS_ETRUNCATED:
            self.init(
                .connectionLost,
                "\(request.url) ended the connection in the middle of TLS, before it had answered the opening handshake"
            )
        case APUS_ENOMEM: self.init(core: failure.error)
        case APUS_ECLOSED: self = .cancelledConnecting
        default:
            let words = String(cString: apus_error_message(failure.error))
            let tls = WebSocketError(core: failure.error)
            if tls.code == .untrustedCertificate || tls.code == .tlsFailure {
                let hint = Self.tlsHints[failure.error].map { "; \($0)" } ?? ""
                let reason = cause.isEmpty ? words : "\(words) (\(cause))"
                self.init(tls.code, "TLS with \(request.url) failed: \(reason)\(hint)")
                return
            }
            self.init(.handshakeFailed, "the answer of \(place) to the opening handshake is not valid: \(words)")
        }
    }
}

extension WebSocketError {
    /// What to do about a TLS that failed, beyond what the error's own words say.
    private static let tlsHints: [CInt: String] = [
        APUS_ENOTTLS.rawValue: "a server without TLS has a ws URL, or another port",
        APUS_EUNTRUSTED.rawValue: "if it is one of yours, name its root in the configuration's tls.trust",
    ]
}

extension Response {
    fileprivate init(_ response: apus_response, body: UnsafePointer<UInt8>?, count: Int) {
        self.init(
            status: .init(code: Int(response.status), reasonPhrase: response.reason.string),
            headerFields: response.headerFields,
            body: Array(UnsafeBufferPointer(start: body, count: count)))
    }
}

extension String {
    /// Base64 (RFC 4648 §4). `apus_base64_encode`
    init(base64Encoding bytes: [UInt8]) {
        let count = (bytes.count + 2) / 3 * 4
        self.init(unsafeUninitializedCapacity: count) { text in
            text.withMemoryRebound(to: CChar.self) { text in
                text.baseAddress.map { apus_base64_encode(bytes, bytes.count, $0) } ?? 0
            }
        }
    }
}
