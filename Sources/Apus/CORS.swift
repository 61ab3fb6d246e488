import HTTPTypes

/// Which pages of other origins may use an HTTP interface, in the terms of the Fetch standard's CORS protocol
/// (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
///
/// ```swift
/// let cors = try CORS(allowedOrigins: .only(["https://app.example.org"]), methods: [.get, .post, .delete])
/// try await server.run(http: { request in
///     if let response = cors.preflightResponse(to: request.head) { return response }
///     return cors.adding(to: try await answer(request), for: request.head)
/// }, handler: chat)
/// ```
///
/// It tells browsers what a page may read; it protects no server from anybody else. WebSockets know no CORS: see
/// ``WebSocketServer/Configuration/originPolicy``.
public struct CORS: Hashable, Sendable {
    /// The pages that may.
    public enum Origins: Hashable, Sendable {
        /// Those of any origin; without credentials.
        case any
        /// Those of these origins, each as `scheme://host[:port]`, as browsers write it in `Origin`.
        case only(Set<String>)
    }

    /// The pages that may.
    public let allowedOrigins: Origins
    /// The methods they may use.
    public let methods: [HTTPRequest.Method]
    /// The request fields they may set, beside those that any page may.
    public let headers: [HTTPField.Name]
    /// The response fields they may read, beside those that any page may.
    public let exposedHeaders: [HTTPField.Name]
    /// Whether cookies and the like go with their requests.
    public let allowsCredentials: Bool
    /// For how long a browser may remember the answer to a preflight, rounded to seconds; its own default where `nil`.
    public let maxAge: Duration?

    /// Says what is allowed.
    ///
    /// - Throws: ``WebSocketError`` with the code `invalidConfiguration`: credentials for pages of any origin, which
    ///   the standard forbids, or an origin that no browser would write.
    public init(
        allowedOrigins: Origins, methods: [HTTPRequest.Method] = [.get, .head, .post], headers: [HTTPField.Name] = [],
        exposedHeaders: [HTTPField.Name] = [], allowsCredentials: Bool = false, maxAge: Duration? = nil
    ) throws(WebSocketError) {
        self.allowedOrigins = allowedOrigins
        self.methods = methods
        self.headers = headers
        self.exposedHeaders = exposedHeaders
        self.allowsCredentials = allowsCredentials
        self.maxAge = maxAge
        switch allowedOrigins {
        case .any where allowsCredentials:
            throw WebSocketError(
                .invalidConfiguration, "credentials for pages of any origin: name the origins, or allow no credentials")
        case .any: return
        case .only(let origins):
            for origin in origins where !Self.isOrigin(origin) {
                throw WebSocketError(
                    .invalidConfiguration,
                    "'\(origin)' is no origin: write scheme://host[:port], in lower case, with nothing behind it")
            }
        }
    }

    /// Lower case, a scheme and a host, and no path: what browsers compare is what they write.
    private static func isOrigin(_ text: String) -> Bool {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return false }
        return text == text.lowercased() && !parts[1].contains { "/?#@ \t".contains($0) }
    }

    /// The answer to a preflight; `nil` where the request is none: an OPTIONS with `Origin` and
    /// `Access-Control-Request-Method`.
    ///
    /// 204 that names what is allowed, or 403 for a page that may not.
    public func preflightResponse(to request: HTTPRequest) -> Response? {
        guard request.method == .options, request.headerFields[.origin] != nil,
            request.headerFields[.accessControlRequestMethod] != nil
        else { return nil }
        var fields = HTTPFields()
        fields[.vary] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        guard let origin = allowedOrigin(of: request) else {
            return Response(status: .forbidden, headerFields: fields)
        }
        fields[.accessControlAllowOrigin] = origin
        fields[.accessControlAllowMethods] = methods.map(\.rawValue).joined(separator: ", ")
        if !headers.isEmpty { fields[.accessControlAllowHeaders] = Self.list(headers) }
        if allowsCredentials { fields[.accessControlAllowCredentials] = "true" }
        if let maxAge { fields[.accessControlMaxAge] = "\(maxAge.components.seconds)" }
        return Response(status: .noContent, headerFields: fields)
    }

    /// The response with the fields that let the requesting page read it; with `Vary: Origin` alone for another.
    public func adding(to response: Response, for request: HTTPRequest) -> Response {
        var response = response
        if allowedOrigins != .any { response.headerFields.append(HTTPField(name: .vary, value: "Origin")) }
        guard request.headerFields[.origin] != nil, let origin = allowedOrigin(of: request) else { return response }
        response.headerFields[.accessControlAllowOrigin] = origin
        if !exposedHeaders.isEmpty {
            response.headerFields[.accessControlExposeHeaders] = Self.list(exposedHeaders)
        }
        if allowsCredentials { response.headerFields[.accessControlAllowCredentials] = "true" }
        return response
    }

    /// What `Access-Control-Allow-Origin` says to the page.
    private func allowedOrigin(of request: HTTPRequest) -> String? {
        switch allowedOrigins {
        case .any: return "*"
        case .only(let origins):
            // Bytes are compared: a look-up in the set would normalise what a client has written.
            guard let origin = request.headerFields[.origin] else { return nil }
            return origins.first { $0.utf8.elementsEqual(origin.utf8) }
        }
    }

    private static func list(_ names: [HTTPField.Name]) -> String {
        names.map(\.rawName).joined(separator: ", ")
    }
}
