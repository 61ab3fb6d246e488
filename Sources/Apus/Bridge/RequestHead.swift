import CApus
import HTTPTypes

/// A request head as it came: a few hundred bytes, where the fields as strings take thousands.
///
/// A connection keeps it for as long as it lives, and most never look at it again.
struct RequestHead: Sendable {
    private let bytes: [UInt8]
    /// Whether it came over TLS.
    private let isSecure: Bool

    /// Copies a head that the core has parsed.
    init(_ head: UnsafePointer<apus_head>, isSecure: Bool = false) {
        self.isSecure = isSecure
        let all = head.pointee.all
        bytes = [UInt8](UnsafeRawBufferPointer(start: all.data, count: all.len))
    }

    /// The request, parsed anew. Never inlined: a task that asks would keep the room for it in its frame.
    @inline(never)
    var request: HTTPRequest {
        bytes.withUnsafeBufferPointer { bytes in
            withUnsafeTemporaryAllocation(of: apus_head.self, capacity: 1) { head in
                guard let head = head.baseAddress, let start = bytes.baseAddress,
                    apus_head_parse(head, start, bytes.count) == 0
                else {
                    preconditionFailure("a request head that was parsed before")
                }
                return HTTPRequest(head, isSecure: isSecure)
            }
        }
    }
}

extension HTTPRequest {
    fileprivate init(_ head: UnsafePointer<apus_head>, isSecure: Bool) {
        let fields = UnsafeBufferPointer(start: apus_head_fields(head), count: head.pointee.field_count)
        var headerFields = HTTPFields()
        headerFields.reserveCapacity(fields.count)
        var host: String?
        for field in fields {
            guard let name = HTTPField.Name(field.name.string) else { continue }  // the core takes tokens only
            if name == .host { host = field.value.string }
            headerFields.append(HTTPField(name: name, value: field.value.string))
        }
        let target = Target(head.pointee.target.string)
        self.init(
            method: Method(head.pointee.method.string) ?? .get,
            scheme: target.scheme ?? (isSecure ? "https" : "http"),
            authority: target.authority ?? host,
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

extension HTTPField.Name {
    fileprivate static let host = Self(parsed: "host")!  // a token
}
