@testable import Apus
import HTTPTypes
import TestSupport
import Testing

/// Texts that a peer writes are bytes here. Swift compares, hashes and splits a `String` after normalising it, which
/// takes quadratic time for rows of combining marks; so no place may find two texts to be the same that only
/// normalising makes the same, and each has to take a megabyte of such marks.
@Suite(.withPeers, .timeLimit(.minutes(5)))
struct FieldListTests {
    /// Two texts that are the same to `String`, and not to bytes.
    private static let (one, other) = ("a\u{301}\u{323}", "a\u{323}\u{301}")
    /// A megabyte of one character, as `String` sees it.
    private static let marks = "a" + String(repeating: "\u{301}\u{323}", count: 1 << 18)
    /// Fewer, for what a debug build takes a second to encode.
    private static let fewerMarks = "a" + String(repeating: "\u{301}\u{323}", count: 1 << 14)

    private static func request(_ path: String = "/", _ fields: HTTPFields = [:]) -> HTTPRequest {
        HTTPRequest(method: .get, scheme: nil, authority: nil, path: path, headerFields: fields)
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { "%" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    @Test func `the two are what they are for`() {
        #expect(Self.one == Self.other)
        #expect(!Self.one.utf8.elementsEqual(Self.other.utf8))
        let count = Self.marks.utf8.count
        #expect(count > 1 << 20)
    }

    @Test(arguments: [("a, b,c", ["a", "b", "c"]), (" a\t", ["a"]), (",, ,", []), ("", []), ("a b", ["a b"])])
    func `a list has its elements without the white space around them`(list: String, elements: [String]) {
        #expect(Substring(list).utf8.listElements().map { String(Substring($0)) } == elements)
    }

    @Test func `a resource's path is bytes`() {
        var resources = StaticResources()
        resources.add([1], at: "/" + Self.one)
        #expect(resources.response(to: Self.request("/" + Self.one)) != nil)
        #expect(resources.response(to: Self.request("/" + Self.percentEncoded(Self.one))) != nil)
        #expect(resources.response(to: Self.request("/" + Self.other)) == nil)
        #expect(resources.response(to: Self.request("/" + Self.percentEncoded(Self.other))) == nil)
        resources.add([2], at: "/" + Self.marks)
        resources.add([2], at: "/" + Self.fewerMarks)
        for path in [Self.marks, Self.percentEncoded(Self.fewerMarks)] {
            let (found, missing) = (Self.request("/\(path)?\(Self.marks)"), Self.request("/\(path)x"))
            let body = resources.response(to: found)?.body
            let isMissing = resources.response(to: missing) == nil
            #expect(body == [2])
            #expect(isMissing)
        }
    }

    @Test(arguments: [EntityTag.Comparison.strong, .weak])
    func `an entity tag is bytes`(comparison: EntityTag.Comparison) {
        #expect(!EntityTag.list("\"\(Self.one)\"", matches: "\"\(Self.other)\"", by: comparison))
        for list in [Self.marks, "\"\(Self.marks)\"", String(repeating: "\"\(Self.one)\",", count: 100_000)] {
            let names = [list, "\"x\", " + list].map { EntityTag.list($0, matches: "\"x\"", by: comparison) }
            #expect(names == [false, true])
        }
    }

    @Test func `a condition on a time is bytes`() {
        let now = 784_111_777
        let seconds = HTTPDate.seconds(of: Self.marks, now: now)
        #expect(seconds == nil)
        #expect(HTTPDate.seconds(of: "Sun, 06 \(Self.one) 1994 08:49:37 GMT", now: now) == nil)
    }

    // The marks are no argument of any test, since arguments are printed.
    @Test func `an Accept-Encoding is bytes`() {
        let marks = Self.marks
        func isAccepted(_ field: String) -> Bool {
            Gzip.isAccepted(by: Self.request("/", [.acceptEncoding: field]))
        }
        #expect(isAccepted("gzip;" + marks))
        #expect(isAccepted(marks + ", gzip"))
        for field in ["gzip" + marks, marks, marks + ", gzip;q=0", ";" + marks] {
            let isTaken = isAccepted(field)
            #expect(!isTaken)
        }
    }

    @Test func `an Origin is bytes`() throws {
        // A set hashes what it is made of, so the long origin is only a page's.
        let cors = try CORS(allowedOrigins: .only(["https://" + Self.one]))
        func allowed(_ origin: String) -> String? {
            cors.adding(to: .notFound, for: Self.request("/", [.origin: origin])).headerFields[
                .accessControlAllowOrigin]
        }
        #expect(allowed("https://" + Self.one) != nil)
        #expect(allowed("https://" + Self.other) == nil)
        let areAllowed = ["", "x"].map { allowed("https://" + Self.marks + $0) != nil }
        #expect(areAllowed == [false, false])
    }

    @Test func `a subprotocol is bytes`() {
        let request = Self.request("/", [.secWebSocketProtocol: "\(Self.one), \(Self.marks),x"])
        #expect(request.offeredSubprotocols == ["x"], "what is no token is left out")
    }

    @Test(arguments: ["/", "?", "", "http://", "x:", "a:b@", "//"])
    func `a Location is ASCII before it is looked at`(start: String) async throws {
        let url = try WebSocketURL("ws://localhost/")
        for location in [start + Self.marks, Self.marks + ":" + start] {
            let isRefused = await errorCode { _ = try url.following(location) } == .invalidArgument
            #expect(isRefused)
        }
    }

    /// The same over a socket: in the target, which has to be ASCII, and in each field that somebody looks at.
    @Test func `a head may be full of marks wherever a peer writes`() async throws {
        var resources = StaticResources()
        resources.add(Array("found".utf8), at: "/", isCompressed: true)
        let cors = try CORS(allowedOrigins: .only(["https://a.example"]))
        let configuration = WebSocketServer.Configuration.with {
            $0.maxHeadBytes = 16 << 20
            $0.trustedProxies = ["127.0.0.1"]
            $0.originPolicy = .sameOr(["https://a.example"])
        }
        let fields = [
            "Origin", "Accept-Encoding", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
            "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Sec-WebSocket-Protocol", "Expect",
            "Content-Type", "Upgrade", "Connection", "Access-Control-Request-Method", "Range", "TE",
        ]
        try await withServer(
            configuration,
            http: { [resources] request in
                if let response = cors.preflightResponse(to: request.head) { return response }
                return cors.adding(to: resources.response(to: request) ?? .notFound, for: request.head)
            }
        ) { _, port in
            let statuses = try await onThread {
                var statuses = try fields.map { field in
                    let client = try Client(port: port)
                    try client.sendRequest("GET", "/", "\(field): \(Self.marks)", "\(field)2: \(Self.marks)")
                    return try client.readAnswer().status
                }
                for target in ["/" + Self.marks, "/" + Self.percentEncoded(Self.fewerMarks)] {
                    let client = try Client(port: port)
                    try client.sendRequest("GET", target)
                    statuses.append(try client.readAnswer().status)
                }
                return statuses
            }
            #expect(statuses.allSatisfy { [200, 400, 404, 412, 417].contains($0) }, "\(statuses)")
            #expect(statuses.suffix(2) == [400, 404])
        }
    }
}
