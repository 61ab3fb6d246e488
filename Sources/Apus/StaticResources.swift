import HTTPTypes

/// Files held in memory and served over HTTP: with content type, ETag and 304, for GET and HEAD; compressed where that
/// was asked for and the client takes gzip.
///
/// They are read once; a file that changes on disk is served as it was. Only what was there can be asked for, so no
/// path can lead out of the directory.
public struct StaticResources: Sendable {
    private var resources: [String: Resource] = [:]
    /// Further fields of every response, such as `Content-Security-Policy`.
    public var headerFields: HTTPFields

    private struct Resource: Sendable {
        let contents: [UInt8]
        let compressed: [UInt8]?
        let contentType: String
        let entityTag: String
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
                add(contents, at: path + entry.name)
                if entry.name == index { add(contents, at: path, contentType: ContentType.ofFile(named: index)) }
            }
        }
    }

    /// Adds, or replaces, one resource.
    ///
    /// - Parameters:
    ///   - path: what follows the authority in its URL, such as `/logo.svg`; percent-encoded or not.
    ///   - contentType: by the path's extension where it is `nil`.
    ///   - isCompressed: whether clients that take gzip get it so; it is compressed here, once.
    public mutating func add(
        _ contents: [UInt8], at path: String, contentType: String? = nil, isCompressed: Bool = false
    ) {
        resources[path] = Resource(
            contents: contents,
            compressed: isCompressed ? Gzip.compress(contents) : nil,
            contentType: contentType ?? ContentType.ofFile(named: path),
            entityTag: EntityTag.strong(for: contents)
        )
    }

    /// What is at a path as it is written in a request, which percent-encodes what may not stand in a URL.
    private func resource(at path: Substring) -> Resource? {
        if let resource = resources[String(path)] { return resource }
        guard path.utf8.contains(UInt8(ascii: "%")), let bytes = path.percentDecoded else { return nil }
        return resources[String(decoding: bytes, as: UTF8.self)]
    }

    /// The response to a request; else as ``response(to:)-(HTTPRequest)``.
    public func response(to request: Request) -> Response? { response(to: request.head) }

    /// The response to a request, or `nil` where there is no such resource.
    ///
    /// 405 for methods other than GET and HEAD; 304 where `If-None-Match` names the resource as it is (RFC 9110
    /// §13.1.2).
    public func response(to request: HTTPRequest) -> Response? {
        guard let path = request.path?.prefix(while: { $0 != "?" }), let resource = resource(at: path) else {
            return nil
        }
        guard request.method == .get || request.method == .head else {
            return Response(status: .methodNotAllowed, headerFields: [.allow: "GET, HEAD"])
        }
        var fields = headerFields
        // A strong tag names the very bytes (RFC 9110 §8.8.3.3).
        let compressed = Gzip.isAccepted(by: request) ? resource.compressed : nil
        let entityTag = compressed == nil ? resource.entityTag : "\(resource.entityTag.dropLast())-gzip\""
        fields[.eTag] = entityTag
        if resource.compressed != nil { fields[.vary] = "Accept-Encoding" }
        fields[.cacheControl] = "no-cache"  // may be kept, but has to be asked for
        if request.headerFields[.ifNoneMatch].map({ EntityTag.list($0, matches: entityTag) }) == true {
            return Response(status: .notModified, headerFields: fields)
        }
        fields[.contentType] = resource.contentType
        fields[.xContentTypeOptions] = "nosniff"
        if compressed != nil { fields[.contentEncoding] = "gzip" }
        return Response(status: .ok, headerFields: fields, body: compressed ?? resource.contents)
    }
}
