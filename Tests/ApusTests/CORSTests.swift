import Apus
import HTTPTypes
import Testing

struct CORSTests {
    private static let page = "https://app.example.org"

    private static func request(_ method: HTTPRequest.Method = .get, _ fields: HTTPFields = [:]) -> HTTPRequest {
        HTTPRequest(method: method, scheme: "https", authority: "api.example.org", path: "/", headerFields: fields)
    }

    private static func preflight(from origin: String = page) -> HTTPRequest {
        request(.options, [.origin: origin, .accessControlRequestMethod: "DELETE"])
    }

    @Test func `a preflight from an allowed page is answered with what is allowed`() throws {
        let cors = try CORS(
            allowedOrigins: .only([Self.page]), methods: [.get, .delete], headers: [.contentType, .authorization],
            allowsCredentials: true, maxAge: .seconds(600))
        let response = try #require(cors.preflightResponse(to: Self.preflight()))
        #expect(response.status == .noContent)
        #expect(response.headerFields[.accessControlAllowOrigin] == Self.page)
        #expect(response.headerFields[.accessControlAllowMethods] == "GET, DELETE")
        #expect(response.headerFields[.accessControlAllowHeaders] == "Content-Type, Authorization")
        #expect(response.headerFields[.accessControlAllowCredentials] == "true")
        #expect(response.headerFields[.accessControlMaxAge] == "600")
        #expect(
            response.headerFields[.vary] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    }

    @Test(arguments: ["https://evil.example.org", "http://app.example.org", "https://app.example.org:8443", "null", ""])
    func `a preflight from another page is forbidden`(origin: String) throws {
        let cors = try CORS(allowedOrigins: .only([Self.page]))
        let response = try #require(cors.preflightResponse(to: Self.preflight(from: origin)))
        #expect(response.status == .forbidden)
        #expect(response.headerFields[.accessControlAllowOrigin] == nil)
    }

    @Test(arguments: [
        request(.options), request(.options, [.origin: page]), request(.options, [.accessControlRequestMethod: "PUT"]),
        request(.get, [.origin: page, .accessControlRequestMethod: "PUT"]),
    ])
    func `anything else is no preflight`(request: HTTPRequest) throws {
        #expect(try CORS(allowedOrigins: .any).preflightResponse(to: request) == nil)
    }

    @Test func `a response to an allowed page says so, and that it depends on the page`() throws {
        let cors = try CORS(allowedOrigins: .only([Self.page]), exposedHeaders: [.eTag], allowsCredentials: true)
        let response = cors.adding(to: .text("hello"), for: Self.request(.get, [.origin: Self.page]))
        #expect(response.headerFields[.accessControlAllowOrigin] == Self.page)
        #expect(response.headerFields[.accessControlExposeHeaders] == "ETag")
        #expect(response.headerFields[.accessControlAllowCredentials] == "true")
        #expect(response.headerFields[.vary] == "Origin")
        #expect(response.body == Array("hello".utf8))
    }

    @Test func `a response to another page, or to none, depends on the page too`() throws {
        let cors = try CORS(allowedOrigins: .only([Self.page]))
        for fields in [[:], [.origin: "https://evil.example.org"]] as [HTTPFields] {
            let response = cors.adding(
                to: Response(status: .ok, headerFields: [.vary: "Accept"]), for: Self.request(.get, fields))
            #expect(response.headerFields[.accessControlAllowOrigin] == nil)
            #expect(response.headerFields[.vary] == "Accept, Origin")
        }
    }

    @Test func `where any page may, the response is the same for all`() throws {
        let cors = try CORS(allowedOrigins: .any)
        let response = cors.adding(to: .notFound, for: Self.request(.get, [.origin: Self.page]))
        #expect(response.headerFields[.accessControlAllowOrigin] == "*")
        #expect(response.headerFields[.vary] == nil)
        #expect(cors.preflightResponse(to: Self.preflight())?.headerFields[.accessControlAllowOrigin] == "*")
    }

    @Test func `credentials for pages of any origin are refused`() async {
        let code = await errorCode { _ = try CORS(allowedOrigins: .any, allowsCredentials: true) }
        #expect(code == .invalidConfiguration)
    }

    @Test(arguments: [
        "app.example.org", "https://app.example.org/", "https://", "://a", "HTTPS://a", "https://u@a", "*", "",
    ])
    func `an origin that no browser would write is refused`(origin: String) async {
        let code = await errorCode { _ = try CORS(allowedOrigins: .only([origin])) }
        #expect(code == .invalidConfiguration)
    }
}
