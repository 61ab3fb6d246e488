import HTTPTypes

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Files held in memory and served over HTTP: with content type, `ETag`, `Last-Modified` and conditional requests, for
/// GET and HEAD; compressed where that was asked for and the client takes gzip.
///
/// All clients are sent the same memory, each as fast as it takes it, so many slow readers of a large file cost little.
///
/// They are read once; a file that changes on disk is served as it was. Only what was there can be asked for, so no
/// path can lead out of the directory.
public struct StaticResources: Sendable {
    /// By path, as bytes: hashing a `String` that a client has written would normalise it, in quadratic time.
    private var resources: [[UInt8]: Resource] = [:]
    /// Further fields of every response, such as `Content-Security-Policy`.
    public var headerFields: HTTPFields

    private struct Resource: Sendable {
        let contents: [UInt8]
        let compressed: [UInt8]?
        let contentType: String
        let entityTag: String
        let lastModified: Int?
    }

    /// No files yet.
    public init(headerFields: HTTPFields = [:]) {
        self.headerFields = headerFields
    }

    /// Reads all files below a directory, hidden ones aside.
    ///
    /// - Parameters:
    ///   - index: the file that a directory's own path, ending in `/`, serves.
    /// - Throws: ``WebSocketError`` with the code `unreadableFile`, which names the file.
    public init(
        directory: String, index: String = "index.html", headerFields: HTTPFields = [:]
    ) throws(WebSocketError) {
        self.init(headerFields: headerFields)
        try add(directory: directory, at: "/", index: index)
    }

    private mutating func add(directory: String, at path: String, index: String) throws(WebSocketError) {
        for entry in try FileSystem.entries(of: directory) {
            let place = "\(directory)/\(entry.name)"
            if entry.isDirectory {
                try add(directory: place, at: "\(path)\(entry.name)/", index: index)
            } else {
                let contents = try FileSystem.contents(of: place)
                add(contents, at: path + entry.name, lastModified: entry.lastModified)
                guard entry.name == index else { continue }
                let contentType = ContentType.ofFile(named: index)
                add(contents, at: path, contentType: contentType, lastModified: entry.lastModified)
            }
        }
    }

    /// Adds, or replaces, one resource.
    ///
    /// - Parameters:
    ///   - path: what follows the authority in its URL, such as `/logo.svg`; percent-encoded or not.
    ///   - contentType: by the path's extension where it is `nil`.
    ///   - isCompressed: whether clients that take gzip get it so; it is compressed here, once.
    ///   - lastModified: when it was last changed, in seconds since 1970; `nil` where that is not known.
    public mutating func add(
        _ contents: [UInt8], at path: String, contentType: String? = nil, isCompressed: Bool = false,
        lastModified: Int? = nil
    ) {
        resources[Array(path.utf8)] = Resource(
            contents: contents,
            compressed: isCompressed ? Gzip.compress(contents) : nil,
            contentType: contentType ?? ContentType.ofFile(named: path),
            entityTag: EntityTag.strong(for: contents),
            lastModified: lastModified
        )
    }

    /// What is at a path as it is written in a request, which percent-encodes what may not stand in a URL.
    private func resource(at path: Substring.UTF8View) -> Resource? {
        if let resource = resources[Array(path)] { return resource }
        guard path.contains(UInt8(ascii: "%")), let bytes = Substring(path).percentDecoded else { return nil }
        return resources[bytes]
    }

    /// The response to a request; else as ``response(to:)-(HTTPRequest)``.
    public func response(to request: Request) -> Response? { response(to: request.head) }

    /// The response to a request, or `nil` where there is no such resource.
    ///
    /// 405 for methods other than GET and HEAD. Conditions are evaluated in the order of RFC 9110 §13.2.2: `If-Match`
    /// and `If-Unmodified-Since` make 412, `If-None-Match` and `If-Modified-Since` 304. `Range` is ignored, as §14.2
    /// allows.
    public func response(to request: HTTPRequest) -> Response? {
        guard let path = request.path?.utf8.prefix(while: { $0 != UInt8(ascii: "?") }),
            let resource = resource(at: path)
        else { return nil }
        guard request.method == .get || request.method == .head else {
            return Response(status: .methodNotAllowed, headerFields: [.allow: "GET, HEAD"])
        }
        var fields = headerFields
        // A strong tag names the very bytes (RFC 9110 §8.8.3.3).
        let compressed = Gzip.isAccepted(by: request) ? resource.compressed : nil
        let entityTag = compressed == nil ? resource.entityTag : "\(resource.entityTag.dropLast())-gzip\""
        fields[.eTag] = entityTag
        if resource.compressed != nil { fields[.vary] = "Accept-Encoding" }
        if let lastModified = resource.lastModified { fields[.lastModified] = HTTPDate.text(of: lastModified) }
        fields[.cacheControl] = "no-cache"  // may be kept, but has to be asked for
        let condition = Precondition.evaluate(
            request.headerFields, entityTag: entityTag, lastModified: resource.lastModified, now: time(nil))
        switch condition {
        case .pass: break
        case .notModified: return Response(status: .notModified, headerFields: fields)
        case .failed: return Response(status: .preconditionFailed, headerFields: fields)
        }
        fields[.contentType] = resource.contentType
        fields[.xContentTypeOptions] = "nosniff"
        if compressed != nil { fields[.contentEncoding] = "gzip" }
        return Response(status: .ok, headerFields: fields, body: compressed ?? resource.contents)
    }
}
