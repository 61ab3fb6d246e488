import CApus
import HTTPTypes

/// A request head as it came, and behind it, at a client's end, the server's answer: a few hundred bytes, where the
/// fields as strings take thousands.
///
/// A connection keeps it for as long as it lives, and most never look at it again.
struct RequestHead: Sendable {
    /// What proxies tell of the request, then the head, then perhaps the answer: the scheme (`apus_scheme`), how many
    /// bytes the host has in four bytes, the host.
    private let bytes: [UInt8]

    private static let prefixCount = 5

    /// The bytes that it keeps.
    var byteCount: Int { bytes.count }

    /// Copies a head that the core has parsed, and what trusted proxies add to it.
    init(_ head: UnsafePointer<apus_head>, forwarded: UnsafePointer<apus_forwarded>?, isSecure: Bool = false) {
        let all = head.pointee.all
        let host = forwarded?.pointee.host
        let hostCount = host?.len ?? 0  // less than a head has bytes
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.prefixCount + hostCount + all.len)
        var scheme = forwarded?.pointee.scheme ?? APUS_SCHEME_UNKNOWN
        if scheme == APUS_SCHEME_UNKNOWN, isSecure { scheme = APUS_SCHEME_HTTPS }
        bytes.append(UInt8(truncatingIfNeeded: scheme.rawValue))
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: hostCount >> shift)) }
        if let host { bytes += UnsafeRawBufferPointer(start: host.data, count: hostCount) }
        bytes += UnsafeRawBufferPointer(start: all.data, count: all.len)
        self.bytes = bytes
    }

    /// The scheme that the client used, where a proxy told it, or this is TLS.
    private var scheme: String? {
        switch UInt32(bytes[0]) {
        case APUS_SCHEME_HTTP.rawValue: "http"
        case APUS_SCHEME_HTTPS.rawValue: "https"
        default: nil
        }
    }

    private var host: ArraySlice<UInt8> {
        bytes[Self.prefixCount...].prefix(bytes[1..<Self.prefixCount].reduce(0) { $0 << 8 | Int($1) })
    }

    /// Copies what a client sent, and what the server answered.
    init(request: apus_text, response: apus_text) {
        let prefix = [UInt8(truncatingIfNeeded: APUS_SCHEME_UNKNOWN.rawValue), 0, 0, 0, 0]
        bytes = prefix + [UInt8](request.bytes) + [UInt8](response.bytes)
    }

    /// How many of the bytes are the request's.
    private func requestSize(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var scanner = apus_head_scanner()
        var limits = apus_head_limits(size: .max, fields: 0)
        // Two heads at most: the end of the first is there.
        return bytes.baseAddress.map { apus_head_scan(&scanner, $0, bytes.count, &limits) } ?? 0
    }

    /// The server's answer, at a client's end; parsed at each use. Never inlined, as ``request``.
    @inline(never)
    var response: HTTPResponse? {
        bytes[host.endIndex...].withUnsafeBufferPointer { bytes in
            let answer = UnsafeBufferPointer(rebasing: bytes.dropFirst(requestSize(bytes)))
            return withUnsafeTemporaryAllocation(of: apus_response.self, capacity: 1) { response in
                guard let response = response.baseAddress, let start = answer.baseAddress,
                    apus_response_parse(response, start, answer.count) == 0
                else { return nil }
                return HTTPResponse(
                    status: .init(code: Int(response.pointee.status), reasonPhrase: response.pointee.reason.string),
                    headerFields: response.pointee.headerFields)
            }
        }
    }

    /// The request, parsed at each use. Never inlined: a task that asks would keep the room for it in its frame.
    @inline(never)
    var request: HTTPRequest {
        var request = withHead { HTTPRequest($0) }
        if let scheme { request.scheme = scheme }
        if !host.isEmpty { request.authority = String(decoding: host, as: UTF8.self) }
        return request
    }

    /// How many bytes of content follow; `nil` where they come in chunks.
    var contentLength: Int? {
        withHead { $0.pointee.is_chunked ? nil : Int(clamping: $0.pointee.content_length) }
    }

    private func withHead<T>(_ body: (UnsafePointer<apus_head>) -> T) -> T {
        bytes[host.endIndex...].withUnsafeBufferPointer { bytes in
            withUnsafeTemporaryAllocation(of: apus_head.self, capacity: 1) { head in
                guard let head = head.baseAddress, let start = bytes.baseAddress,
                    apus_head_parse(head, start, requestSize(bytes)) == 0
                else {
                    preconditionFailure("a request head that was parsed before")
                }
                return body(head)
            }
        }
    }
}

extension HTTPRequest {
    fileprivate init(_ head: UnsafePointer<apus_head>) {
        let headerFields = HTTPFields(head)
        let target = Target(head.pointee.target.string)
        self.init(
            method: Method(head.pointee.method.string) ?? .get,
            scheme: target.scheme ?? "http",
            authority: target.authority ?? headerFields[.host],
            path: target.path,
            headerFields: headerFields)
    }

    /// A request target (RFC 9112 §3.2): mostly a path; from a client that takes us for a proxy, a whole URL.
    private struct Target {
        var scheme: String?
        var authority: String?
        var path: String

        init(_ target: String) {
            guard !target.hasPrefix("/"), let schemeEnd = target.firstRange(of: "://") else {
                path = target
                return
            }
            let rest = target[schemeEnd.upperBound...]
            let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            scheme = String(target[..<schemeEnd.lowerBound])
            authority = String(rest[..<authorityEnd])
            path = String(rest[authorityEnd...])
            if !path.hasPrefix("/") { path = "/" + path }
        }
    }
}

extension HTTPFields {
    /// The fields of a head of the core.
    fileprivate init(_ head: UnsafePointer<apus_head>) {
        let fields = UnsafeBufferPointer(start: apus_head_fields(head), count: head.pointee.field_count)
        self.init()
        reserveCapacity(fields.count)
        for field in fields {
            guard let name = HTTPField.Name(field.name.string) else { continue }  // the core takes tokens only
            append(HTTPField(name: name, value: field.value.string))
        }
    }
}

extension apus_response {
    /// The fields as strings.
    var headerFields: HTTPFields {
        withUnsafePointer(to: head) { HTTPFields($0) }
    }
}

extension HTTPField.Name {
    fileprivate static let host = Self(parsed: "host")!  // a token
}
