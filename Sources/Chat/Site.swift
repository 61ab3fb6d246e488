import Apus
import Foundation
import HTTPTypes
import Logging

/// What the server answers over HTTP: the page's files at `/`, and its health at `/healthz`.
struct Site: Sendable {
    private let page: StaticResources
    private let store: MessageStore
    private let logger: Logger

    /// Reads the page's files into memory.
    init(store: MessageStore, logger: Logger) throws {
        guard let folder = Bundle.module.path(forResource: "Resources", ofType: nil) else {
            throw StoreError("the page's files are missing beside the program; build it again with `make chat`")
        }
        page = try StaticResources(directory: folder)
        self.store = store
        self.logger = logger
    }

    /// Answers a request that is no opening handshake.
    ///
    /// - Parameter isDraining: whether the server is about to stop, so that new clients should go elsewhere.
    func response(to request: HTTPRequest, isDraining: Bool = false) async -> Response {
        var response: Response
        if Self.path(of: request) == "/healthz" {
            response = isDraining ? .text("the server is about to stop", status: .serviceUnavailable) : await health()
            response.headerFields[.cacheControl] = "no-store"
        } else {
            response = page.response(to: request) ?? .notFound
        }
        for field in Self.securityFields { response.headerFields[field.name] = field.value }
        return response
    }

    /// The path of a request without its query.
    static func path(of request: HTTPRequest) -> Substring {
        request.path?.prefix { $0 != "?" } ?? ""
    }

    private func health() async -> Response {
        do {
            try await store.check()
            return .text("ok")
        } catch is CancellationError {
            // The client has left. That tells nothing of the database, and nobody reads this.
            return .text("the health check was cancelled", status: .serviceUnavailable)
        } catch {
            logger.error("the health check failed", metadata: ["error": "\(error)"])
            let reason = (error as? StoreError)?.description ?? "the database does not answer"
            return .text(reason, status: .serviceUnavailable)
        }
    }

    /// The page loads nothing from elsewhere and runs no script but its own; no other page may frame it.
    static let securityFields: HTTPFields = {
        var fields = HTTPFields()
        fields[.contentSecurityPolicy] =
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        fields[.xContentTypeOptions] = "nosniff"
        fields[.referrerPolicy] = "no-referrer"
        fields[.crossOriginOpenerPolicy] = "same-origin"
        return fields
    }()
}

extension HTTPField.Name {
    fileprivate static var referrerPolicy: Self { known("Referrer-Policy") }
    fileprivate static var crossOriginOpenerPolicy: Self { known("Cross-Origin-Opener-Policy") }

    private static func known(_ name: String) -> Self {
        guard let name = Self(name) else { preconditionFailure("'\(name)' is not a field name") }
        return name
    }
}
